//! Tokens for an application that serves several tenants.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{TokenConfig, TokenProvider};
use crate::http_client::ConfigError;

/// More tenants than this are not remembered at once.
const MAX_TENANTS: usize = 1_000;

/// One [`TokenProvider`] a tenant: each has its own token and its own single exchange under way,
/// so that one tenant's trouble is no other's. Clones share them.
#[derive(Clone, Debug)]
pub struct TenantTokens {
    template: TokenConfig,
    providers: Arc<Mutex<HashMap<String, TokenProvider>>>,
}

impl TenantTokens {
    /// Providers like `template`, but for their tenant.
    pub fn new(template: TokenConfig) -> Self {
        Self {
            template,
            providers: Arc::default(),
        }
    }

    /// The tenant's provider.
    ///
    /// # Errors
    /// [`ConfigError::Tenant`] if it can't be a tenant's id or domain name.
    pub fn of(&self, tenant: &str) -> Result<TokenProvider, ConfigError> {
        let tenant = tenant.to_ascii_lowercase();
        let mut providers = self
            .providers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(provider) = providers.get(&tenant) {
            return Ok(provider.clone());
        }
        let provider = TokenProvider::new(TokenConfig {
            tenant: tenant.clone(),
            ..self.template.clone()
        })?;
        if providers.len() >= MAX_TENANTS {
            providers.clear();
        }
        providers.insert(tenant, provider.clone());
        Ok(provider)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_one_provider_and_a_name_is_checked() {
        let template = TokenConfig::new("common", "app", "hush".to_owned().into());
        let tenants = TenantTokens::new(template);
        let first = tenants.of("Contoso.com").unwrap();
        let again = tenants.of("contoso.com").unwrap();
        assert!(Arc::ptr_eq(&first.inner, &again.inner));
        let other = tenants.of("fabrikam.com").unwrap();
        assert!(!Arc::ptr_eq(&first.inner, &other.inner));
        assert!(matches!(tenants.of("../x"), Err(ConfigError::Tenant)));
        assert!(!format!("{tenants:?}").contains("hush"));
    }
}
