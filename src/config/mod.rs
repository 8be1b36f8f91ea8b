//! The shape of relay.yaml.
