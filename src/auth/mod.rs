//! Who may call: proofs of a sender, compared in constant time. Pure: headers, bodies and now come
//! in, leave or a refusal goes out. Sources, callbacks and the admin interface share it.

pub mod admin;
pub mod certificate;
pub mod check;
pub mod forwarded;
pub mod proof;
pub mod signature;
pub mod sns;
