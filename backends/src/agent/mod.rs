//! The agent protocol: any implementation in any language behind JSON lines on standard input
//! and output. `VALIDATE.md` in the root of the repository teaches it.
//!
//! Map, in reading order:
//!
//! * `numbers`, [`methods`], `calls`, `answers`: a call and an answer as flat arrays;
//! * `messages`: the lines;
//! * `conversation`: asking a process, on a time limit; `batch`: many calls in one line;
//! * [`AgentBackend`]: the backend `agent:COMMAND`;
//! * [`serve`]: our own managers, served to others; [`smoke`]: a first test of an adapter;
//!   [`schema`]: the JSON Schema.
//!
//! Deliberately not here: fault injection, holes and walks. The harness makes them out of the
//! calls that there are, so no adapter ever sees them.

mod answers;
mod backend;
mod batch;
mod calls;
mod conversation;
mod messages;
pub mod methods;
mod numbers;
mod schema;
mod serve;
mod smoke;
mod smoke_methods;

pub use backend::AgentBackend;
pub use conversation::Limits;
pub use messages::PROTOCOL;
pub use schema::schema;
pub use serve::serve;
pub use smoke::{Check, Whose, smoke};
