//! Where what is fetched and posted for an application may be: an address from a request
//! must not make the emulator call someone else.

use url::{Origin, Url};

use super::Cloud;
use super::conversation::Conversation;
use super::fault::Fault;

/// The origin an application is registered with, and those that are allowed to all.
#[derive(Clone, Copy)]
pub(super) struct Origins<'a> {
    registered: Option<&'a Url>,
    allowed: &'a [Origin],
}

impl Cloud {
    /// The same with origins at which every application may be found, too: those of its
    /// other instances.
    pub(crate) fn allowing(mut self, origins: impl IntoIterator<Item = Origin>) -> Self {
        self.allowed_origins.extend(origins);
        self
    }

    /// For an application that is registered with a webhook, or not yet.
    pub(super) fn origins<'a>(&'a self, registered: Option<&'a Url>) -> Origins<'a> {
        Origins {
            registered,
            allowed: &self.allowed_origins,
        }
    }

    /// For the bot in a call.
    pub(super) fn origins_of(&self, call: &Conversation) -> Origins<'_> {
        let app = call.bot.as_ref().and_then(|bot| self.apps.get(&bot.app));
        self.origins(app.and_then(|app| app.webhook.as_ref()))
    }
}

impl Origins<'_> {
    /// The address that a property of a request holds.
    pub(super) fn address(self, property: &str, text: &str) -> Result<Url, Fault> {
        let url = Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url
            .ok_or_else(|| Fault::property(property, "it must be an absolute http or https URL"))?;
        let origin = url.origin();
        let is_registered = self.registered.is_some_and(|own| own.origin() == origin);
        if is_registered || self.allowed.contains(&origin) {
            return Ok(url);
        }
        Err(Fault::property(
            property,
            "it is not on the origin of the webhook this application is registered with, nor on one that --allow-origin names",
        ))
    }
}
