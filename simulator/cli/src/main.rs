//! `bakproof`: the process; everything else is in the library, where tests reach it.

fn main() -> std::process::ExitCode {
    cli::main()
}
