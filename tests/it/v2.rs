//! The earlier protocol over real sockets: a scripted agent of it at this dashboard, and this agent at a scripted dashboard
//! of it. Both scripts are written from the protocol's facts alone and share no code with the programs. The scenarios carry
//! the names of the earlier specification.

mod agent;
mod dashboard;
mod login;
mod lost_link;
mod scripts;
mod t01_connection;
mod t02_heartbeat;
mod t03_commands;
mod t04_login;
mod t05_websocket;
mod t06_dashboard;
