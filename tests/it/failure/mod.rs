//! What fails in real life: processes killed, files that change, owners who stop.

mod files;
mod processes;
mod recovery;
