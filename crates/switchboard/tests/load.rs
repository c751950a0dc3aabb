//! `switchboard load --churn`, in short: calls that come and go leave nothing behind.

use std::process::Command;

#[test]
fn calls_that_come_and_go_leave_nothing_behind() -> Result<(), Box<dyn std::error::Error>> {
    let output = Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(["load", "--churn", "--calls", "10", "--seconds", "60"])
        .output()?;
    let report = String::from_utf8(output.stdout)?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}{said}");
    assert!(
        report.contains("0 legs, 0 descriptors, 0 tasks"),
        "{report}"
    );
    assert!(report.contains("0 failed, 0 with keys missed"), "{report}");
    Ok(())
}
