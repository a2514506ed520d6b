//! Everything that can be said comes back as it was, and nothing else is understood.
