//! What keeps people from a page who can't see it or use a mouse, as axe-core finds it.

use thirtyfour::WebDriver;

use crate::Failure;

/// Runs axe-core, which stands before it.
const BARRIERS: &str = "
    const done = arguments[0];
    window.axe.run(document, { resultTypes: ['violations'] }).then(
        ({ violations }) => done(violations
            .filter(({ impact }) => impact === 'serious' || impact === 'critical')
            .map(({ id, impact, nodes }) =>
                `${id} (${impact}): ${nodes.map(({ html }) => html).join(' ')}`)),
        (error) => done([String(error)]));
";

/// The source of axe-core, if node would find the package.
fn axe() -> Option<String> {
    let folders = std::env::var_os("NODE_PATH")?;
    let mut folders = std::env::split_paths(&folders);
    folders.find_map(|folder| std::fs::read_to_string(folder.join("axe-core/axe.min.js")).ok())
}

/// What axe-core finds a serious or critical barrier in the page that is shown. `None` where
/// node's packages don't have axe-core.
///
/// # Errors
/// The tab is gone.
pub async fn barriers(driver: &WebDriver) -> Result<Option<Vec<String>>, Failure> {
    let Some(axe) = axe() else { return Ok(None) };
    let script = format!("{axe}\n{BARRIERS}");
    let found = driver.execute_async(script, Vec::new()).await?;
    Ok(Some(serde_json::from_value(found.json().clone())?))
}
