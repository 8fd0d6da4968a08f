//! Where the database is, and the connections to it.

use super::Fault;
use crate::base::atomic_file::{self, Durability};
use crate::base::failure::io_words;
use crate::base::percent::coded;
use crate::base::secret::Secret;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Executor};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// The longest wait for a connection, and for a statement.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections at once. One writes at a time to SQLite, however many there are.
const CONNECTIONS: u32 = 4;
/// The file in the data folder.
const FILE: &str = "msconv.db";
/// What each connection to SQLite begins with. With a write-ahead log readers do not wait for the writer; a power cut may
/// take the last moment's writes, and never the database.
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000; \
     PRAGMA foreign_keys = ON; PRAGMA cache_size = -512";

/// What made the tables, in order.
static STEPS: Migrator = sqlx::migrate!("src/store/migrations");

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// SQLite, in this folder.
    Folder(PathBuf),
    /// A PostgreSQL, by its address, which may hold a password.
    Postgres(Secret),
}

impl Place {
    /// Of the setting `database`, which may be empty, and the data folder.
    ///
    /// # Errors
    /// It is neither empty nor the address of a PostgreSQL.
    pub fn of(database: &str, data: &Path) -> Result<Place, Fault> {
        match database {
            "" => Ok(Place::Folder(data.to_path_buf())),
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                AnyConnectOptions::from_str(url)?;
                Ok(Place::Postgres(Secret::new(url)))
            }
            _ => Err(Fault::Address(
                "it is the address of a PostgreSQL, postgres://user@host/name, or empty".into(),
            )),
        }
    }

    /// The address as sqlx takes it.
    fn address(&self) -> Result<String, Fault> {
        let folder = match self {
            Place::Postgres(url) => return Ok(url.reveal().to_string()),
            Place::Folder(folder) => folder,
        };
        let file = folder.join(FILE);
        let path =
            file.to_str().ok_or_else(|| Fault::Address("the data folder's name is not UTF-8".into()))?;
        let path: Vec<String> = path.split('/').map(coded).collect();
        Ok(format!("sqlite://{}?mode=rw", path.join("/")))
    }

    /// Makes the file of SQLite if there is none.
    fn make(&self) -> Result<(), Fault> {
        let Place::Folder(folder) = self else { return Ok(()) };
        let failed = |e: std::io::Error| Fault::Away(format!("{}: {}", folder.display(), io_words(&e)));
        std::fs::create_dir_all(folder).map_err(failed)?;
        // Hashes of keys are for nobody else; SQLite gives its other files the same mode.
        match atomic_file::create(&folder.join(FILE), b"", 0o600, Durability::Cached) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

/// An open database. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    options: AnyConnectOptions,
    place: Place,
}

impl Store {
    /// Opens it and brings its tables up to date.
    ///
    /// # Errors
    /// It cannot be reached or used, or a newer version of the program has changed it.
    pub async fn open(place: &Place) -> Result<Store, Fault> {
        let store = Store::lazy(place)?;
        store.migrate().await?;
        Ok(store)
    }

    /// Opens it without touching it: the first statement connects.
    ///
    /// # Errors
    /// The address cannot be one.
    pub fn lazy(place: &Place) -> Result<Store, Fault> {
        sqlx::any::install_default_drivers();
        let sqlite = matches!(place, Place::Folder(_));
        let options = AnyConnectOptions::from_str(&place.address()?)?.disable_statement_logging();
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .min_connections(0)
            .acquire_timeout(PATIENCE)
            .idle_timeout(Duration::from_secs(300))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if sqlite {
                        connection.execute(PRAGMAS).await?;
                    }
                    Ok(())
                })
            })
            .connect_lazy_with(options.clone());
        Ok(Store { pool, options, place: place.clone() })
    }

    /// Brings the tables up to date. Two may do so at once: PostgreSQL takes a lock, with SQLite the second one finds that
    /// it was done. On a connection of its own, since a pool tries on where a connection fails and tells only that it was late.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn migrate(&self) -> Result<(), Fault> {
        match (self.migrate_once().await, &self.place) {
            (Err(Fault::Away(_)), Place::Folder(_)) => self.migrate_once().await,
            (outcome, _) => outcome,
        }
    }

    async fn migrate_once(&self) -> Result<(), Fault> {
        self.place.make()?;
        let work = async {
            let mut connection = AnyConnection::connect_with(&self.options).await?;
            if matches!(self.place, Place::Folder(_)) {
                connection.execute(PRAGMAS).await?;
            }
            let outcome = STEPS.run_direct(None, &mut connection, false).await;
            let _ = connection.close().await;
            Ok(outcome?)
        };
        tokio::time::timeout(6 * PATIENCE, work).await.unwrap_or_else(|_| Err(Fault::late()))
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Asks it for nothing.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn ping(&self) -> Result<(), Fault> {
        within(sqlx::query("SELECT 1").execute(&self.pool)).await.map(drop)
    }

    /// Ends all connections.
    pub async fn close(&self) {
        let _ = tokio::time::timeout(PATIENCE, self.pool.close()).await;
    }

    pub(super) fn pool(&self) -> &AnyPool {
        &self.pool
    }
}

/// A statement's answer, if it comes in time.
pub(super) async fn within<T>(statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Fault> {
    tokio::time::timeout(PATIENCE, statement).await.map_err(|_| Fault::late())?.map_err(Fault::from)
}
