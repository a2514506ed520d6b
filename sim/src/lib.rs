//! hostmem: cross-checks memory managers against the law of Win32 virtual memory.
//!
//! Map, in reading order:
//!
//! * [`seed`], [`random`], [`view`]: where random work comes from, and what it may know;
//! * [`intent`], [`script`], [`swarm`], [`steering`], [`workload`]: what it does;
//! * [`import`]: logs of real programs become scenarios; [`host`]: a real program, live;
//! * [`run`], [`reduce`]: one case judged step by step, and shrunk if it fails;
//! * [`known`]: differences that are listed, and so tolerated;
//! * [`engine`], [`runner`], [`backend`], [`parts`], [`law`]: the seams through which the
//!   command meets the runner, the subjects and the rules;
//! * [`conform`]: the law as a matrix, rules by implementations;
//! * [`exhaust`]: small scopes searched to the end; [`fail_each`]: every call made to fail;
//! * [`files`]: scenarios on disk and in the binary;
//! * [`campaign`]: many cases on many threads, told of in one order;
//! * [`results`]: what came of them on disk: resumed, and merged;
//! * [`reproducer`]: failures as tests and programs for people without hostmem;
//! * [`viewer`]: a case as one page, the address space step by step;
//! * [`report`], [`output`], [`progress`], [`panics`]: what people and programs get to see;
//! * [`cli`]: the command.
//!
//! Deliberately not here: what a right answer is (`hostmem-model`), and anything that touches
//! real memory (`hostmem-backends`).

pub mod backend;
pub mod campaign;
pub mod cli;
pub mod conform;
pub mod engine;
pub mod exhaust;
pub mod fail_each;
pub mod files;
pub mod host;
pub mod import;
pub mod intent;
pub mod known;
pub mod law;
pub mod limits;
pub mod output;
pub mod panics;
pub mod parts;
pub mod progress;
pub mod random;
pub mod reduce;
pub mod report;
pub mod reproducer;
pub mod results;
pub mod run;
pub mod runner;
pub mod script;
pub mod seed;
pub mod steering;
pub mod swarm;
pub mod view;
pub mod viewer;
pub mod workload;
