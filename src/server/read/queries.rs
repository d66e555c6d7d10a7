//! The queries: parameters go to the store, and its answer to the client. A client gets only the channels it may see.

use super::list::ListForm;
use crate::query::answer::{Stats, UserStats};
use crate::query::params::{
    AttendanceParams, ChannelParams, HistoryParams, MissedParams, NoParams, SessionsParams,
    StatsParams, WhoParams,
};
use crate::server::access::auth::AuthContext;
use crate::server::api_error::ApiError;
use crate::server::app::App;
use crate::server::query_params::QueryParams;
use crate::store::Store;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;

pub(in crate::server) type SharedApp = State<Arc<App>>;
pub(in crate::server) type QueryResult = Result<Response, ApiError>;

pub async fn who(
    State(app): SharedApp,
    Extension(pass): Extension<AuthContext>,
    QueryParams(params): QueryParams<WhoParams>,
) -> QueryResult {
    let filter = params.filter(app.now())?;
    app.one(&pass.client, move |store| {
        store.who(&params.channel, &filter)
    })
    .await
}

pub async fn history(
    State(app): SharedApp,
    Extension(pass): Extension<AuthContext>,
    form: ListForm,
    QueryParams(params): QueryParams<HistoryParams>,
) -> QueryResult {
    let mut filter = params.filter(app.now())?;
    // The limit counts only entries that the caller may see.
    let mut left = filter.limit.take().unwrap_or(u64::MAX);
    // A limit of 0 still goes to the store, which checks that the channel exists.
    filter.limit = (left == 0).then_some(0);
    let client = pass.client.clone();
    app.list(&client, form, move |store, row| {
        for entry in store.history(&filter)? {
            let entry = entry?;
            if !pass.sees(entry.channel.as_deref()) {
                continue;
            }
            left -= 1;
            if !row(&entry) || left == 0 {
                break;
            }
        }
        Ok(())
    })
    .await
}

pub async fn missed(
    State(app): SharedApp,
    Extension(pass): Extension<AuthContext>,
    form: ListForm,
    QueryParams(mut params): QueryParams<MissedParams>,
) -> QueryResult {
    // As on the command line: rows have a column for it.
    params.detail |= form.is_rows();
    let filter = params.filter(app.now())?;
    let client = pass.client.clone();
    app.list(&client, form, move |store, row| {
        let gaps = store.missed(&params.channel, &filter)?;
        let _ = gaps.iter().all(row);
        Ok(())
    })
    .await
}

pub async fn sessions(
    State(app): SharedApp,
    Extension(pass): Extension<AuthContext>,
    form: ListForm,
    QueryParams(params): QueryParams<SessionsParams>,
) -> QueryResult {
    let filter = params.filter(app.now())?;
    let client = pass.client.clone();
    app.list(&client, form, move |store, row| {
        for session in store.sessions(&filter)? {
            let session = session?;
            if pass.sees(Some(&session.channel)) && !row(&session) {
                break;
            }
        }
        Ok(())
    })
    .await
}

pub async fn stats(
    State(app): SharedApp,
    Extension(pass): Extension<AuthContext>,
    form: ListForm,
    QueryParams(params): QueryParams<StatsParams>,
) -> QueryResult {
    let filter = params.filter(app.now())?;
    let client = pass.client.clone();
    if params.by.is_some() {
        let question = move |store: &Store, row: &mut dyn FnMut(&UserStats) -> bool| {
            let users = store.stats_by_user(&filter)?;
            let mut seen = users.iter().filter(|line| pass.sees(Some(&line.channel)));
            let _ = seen.all(row);
            Ok(())
        };
        return app.list(&client, form, question).await;
    }
    let question = move |store: &Store, row: &mut dyn FnMut(&Stats) -> bool| {
        let stats = store.stats(&filter)?;
        let mut seen = stats.iter().filter(|line| pass.sees(Some(&line.channel)));
        let _ = seen.all(row);
        Ok(())
    };
    app.list(&client, form, question).await
}

pub async fn attendance(
    State(app): SharedApp,
    Extension(pass): Extension<AuthContext>,
    form: ListForm,
    QueryParams(params): QueryParams<AttendanceParams>,
) -> QueryResult {
    let filter = params.filter(app.now())?;
    app.list(&pass.client, form, move |store, row| {
        let people = store.attendance(&params.channel, &filter)?;
        let _ = people.iter().all(row);
        Ok(())
    })
    .await
}

pub async fn channels(
    State(app): SharedApp,
    Extension(pass): Extension<AuthContext>,
    form: ListForm,
    QueryParams(NoParams {}): QueryParams<NoParams>,
) -> QueryResult {
    let client = pass.client.clone();
    app.list(&client, form, move |store, row| {
        let channels = store.channels()?;
        let mut seen = channels
            .iter()
            .filter(|line| pass.sees(Some(&line.channel)));
        let _ = seen.all(row);
        Ok(())
    })
    .await
}

pub async fn gaps(
    State(app): SharedApp,
    Extension(pass): Extension<AuthContext>,
    form: ListForm,
    QueryParams(params): QueryParams<ChannelParams>,
) -> QueryResult {
    let client = pass.client.clone();
    app.list(&client, form, move |store, row| {
        let gaps = store.gaps(&params.channel)?;
        let _ = gaps.iter().all(row);
        Ok(())
    })
    .await
}

/// A rejected line may concern any channel, so only a token for all channels may read them.
pub async fn rejects(
    State(app): SharedApp,
    Extension(pass): Extension<AuthContext>,
    form: ListForm,
    QueryParams(NoParams {}): QueryParams<NoParams>,
) -> QueryResult {
    pass.access.demand_all_channels()?;
    app.list(&pass.client, form, |store, row| {
        for reject in store.rejects()? {
            if !row(&reject?) {
                break;
            }
        }
        Ok(())
    })
    .await
}

/// Who was forgotten may have been in any channel, too.
pub async fn forgotten(
    State(app): SharedApp,
    Extension(pass): Extension<AuthContext>,
    form: ListForm,
    QueryParams(NoParams {}): QueryParams<NoParams>,
) -> QueryResult {
    pass.access.demand_all_channels()?;
    app.list(&pass.client, form, |store, row| {
        let _ = store.forgotten()?.iter().all(row);
        Ok(())
    })
    .await
}
