//! The world from outside: what a client sees through SQL, what S3 shows, and what a restore yields.

mod headers;
mod history;
mod lab;
mod restore;
mod select;
mod speed;
mod tasks;
mod tlog;
mod windows;
mod wire;
