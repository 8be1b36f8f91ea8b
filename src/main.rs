//! Words in, exit code out.

use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let config = std::env::args().skip_while(|a| a != "--config").nth(1).unwrap_or_default();
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let printer = Arc::new(|text: &str| {
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), "{text}");
    });
    match runtime.block_on(alert_relay::daemon::serve(std::path::Path::new(&config), printer)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{e}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}
