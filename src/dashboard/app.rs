//! What every handler knows.

use crate::dashboard::access::Access;
use crate::dashboard::store::Store;

/// Shared by all handlers; cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState {
    /// What outlives the process.
    pub store: Store,
    /// Who may come in.
    pub access: Access,
}
