//! One whole fleet on one machine: a dashboard, an agent and a rebuild watched live. The one room that knows all programs.
