//! How fast and when again: now and dice come in, a duration goes out.
