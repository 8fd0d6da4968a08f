//! What is wanted, kept across restarts: rows and statements of the database. No HTTP, no rules.
