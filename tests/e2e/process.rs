//! The command as a process, for tests of the package: the command itself belongs to another package, whose binary Cargo does
//! not build for tests of this one.

fn main() -> std::process::ExitCode {
    cli::main()
}
