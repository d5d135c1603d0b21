//! Binds the port, makes the token, routes requests, runs until it is stopped.

use crate::error::{Refusal, ReviewError};
use crate::mask_model::MaskModel;
use crate::runs::{Runs, address};
use crate::site::Site;
use crate::{api, events, files, guard, index_page, masks};
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{delete, get, post, put};
use axum::{Router, middleware};
use maquette::{Workspace, with_causes};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use tokio::sync::Notify;

/// A server that listens, but does not answer before [`Server::run`].
pub struct Server {
    listener: TcpListener,
    site: Arc<Site>,
    stop: StopHandle,
}

/// How a server is opened.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// The port of the loopback address; 0 is any free one.
    pub port: u16,
    /// The model that makes masks, as for [`Workspace::masker`]; it is loaded for the first mask.
    pub mask_model: Option<String>,
}

/// Stops a server; copies stop the same one.
#[derive(Clone, Default)]
pub struct StopHandle(Arc<Notify>);

impl StopHandle {
    /// Stops the server: requests in progress end, files are complete.
    pub fn stop(&self) {
        self.0.notify_one();
    }
}

impl Server {
    /// Opens a server for some runs on the loopback address. Before that, the pages of the runs are brought up to date;
    /// problems with them go to `warn`.
    ///
    /// # Errors
    ///
    /// [`ReviewError`] if a run is not found, or the port is not free.
    pub fn open(
        workspace: &Workspace,
        runs: &[String],
        options: &ServerOptions,
        warn: &mut dyn FnMut(&str),
    ) -> Result<Server, ReviewError> {
        let runs = Runs::find(workspace, runs)?;
        for run in runs.listed() {
            if let Err(error) = workspace.write_page(&run.dir().to_string_lossy(), warn) {
                warn(&format!("the page of {run} could not be brought up to date: {}", with_causes(&error)));
            }
        }
        let port = options.port;
        let listening = |source| ReviewError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(listening)?;
        listener.set_nonblocking(true).map_err(listening)?;
        let port = listener.local_addr().map_err(listening)?.port();
        let masks = MaskModel::new(workspace.clone(), options.mask_model.clone());
        let site = Arc::new(Site { runs, port, token: token()?, masks });
        Ok(Server { listener, site, stop: StopHandle::default() })
    }

    /// The address to open: that of the run's page, or with several runs of a page that lists them.
    pub fn url(&self) -> String {
        let Site { runs, port, token, .. } = &*self.site;
        let page = runs.only().map(address).unwrap_or_default();
        format!("http://127.0.0.1:{port}/{token}/{page}")
    }

    /// A handle that stops it.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Answers requests until the server is stopped.
    ///
    /// # Errors
    ///
    /// [`ReviewError::Serve`] if the system fails.
    pub fn run(self) -> Result<(), ReviewError> {
        let Server { listener, site, stop } = self;
        // One thread answers; files are read and written on others. When the runtime is dropped, it waits for these.
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ReviewError::Serve)?;
        runtime
            .block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::select! {
                    result = axum::serve(listener, routes(site)) => result,
                    // Streams of events never end by themselves, so this does not wait for connections to close.
                    () = stop.0.notified() => Ok(()),
                }
            })
            .map_err(ReviewError::Serve)
    }
}

fn routes(site: Arc<Site>) -> Router {
    // As in the runs folder, so that the pages' links to each other lead to the same places.
    let run = Router::new()
        .route("/{name}/{number}/api/picks", get(api::picks))
        .route("/{name}/{number}/api/picks/{cell}", put(api::change_pick))
        .route("/{name}/{number}/api/votes", get(api::votes).post(api::add_vote))
        .route("/{name}/{number}/api/votes/last", delete(api::remove_last_vote))
        .route("/{name}/{number}/api/mask", post(masks::mask))
        .route("/{name}/{number}/api/masks", get(masks::list).post(masks::save))
        .route("/{name}/{number}/api/events", get(events::events))
        .route("/{name}/{number}/", get(files::page))
        .route("/{name}/{number}/{*file}", get(files::file))
        .route("/{name}", get(index_page::run))
        .route("/{name}/", get(index_page::run));
    Router::new()
        .route(&format!("/{}/", site.token), get(index_page::index))
        .nest(&format!("/{}", site.token), run)
        .fallback(|| async { Refusal(StatusCode::NOT_FOUND, "there is nothing here".to_owned()) })
        .layer(DefaultBodyLimit::max(guard::LARGEST_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&site), guard::guard))
        .with_state(site)
}

/// 128 random bits as hexadecimal digits.
fn token() -> Result<String, ReviewError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| ReviewError::Serve(std::io::Error::other(error)))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
