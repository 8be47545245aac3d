//! A live session's credential, rechecked and renewed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;
use wicketgate_admission::{Refusal, Secret};
use wicketgate_audit::Event;

use crate::gateway::{Route, Shared};
use crate::pump::{Order, Renew};
use crate::sessions::Live;

/// Asks again and again whoever can revoke the session's credential, where somebody has to be asked, until it is dropped.
pub(super) fn recheck(shared: &Arc<Shared>, live: &Arc<Live>) -> Option<AbortOnDropHandle<()>> {
    live.standing.recheck_interval()?;
    let (shared, live) = (shared.clone(), live.clone());
    Some(AbortOnDropHandle::new(tokio::spawn(async move {
        while let Some(interval) = live.standing.recheck_interval() {
            // Not all at once, where many sessions were opened together.
            sleep(interval.mul_f64(rand::random_range(0.8..1.0))).await;
            let held = live.standing.recheck().await;
            let snapshot = shared.snapshot();
            let Some(route) = snapshot.route(&live.route) else { return };
            match held.and_then(|()| snapshot.holds(route, &live)) {
                Ok(()) => live.control.give(Order::Until(route.until(&live.standing))),
                Err(lost) => return live.control.give(Order::End(route.lost(lost))),
            }
        }
    })))
}

/// What becomes of a token by which the client renews its credential; `None` where the route lets nobody.
///
/// One at a time: what comes while one is judged is not looked at.
pub(super) fn renew(shared: &Arc<Shared>, live: &Arc<Live>, route: &Arc<Route>) -> Option<Renew> {
    let name = route.guard.renewal()?.clone();
    let (shared, live, busy) = (shared.clone(), Arc::downgrade(live), Arc::new(AtomicBool::new(false)));
    let told = {
        let name = name.clone();
        move |what: &str| Order::Say(json!({ (*name).to_owned(): what }).to_string())
    };
    let judge = move |token: Secret| {
        if busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let (shared, live, busy, told) = (shared.clone(), live.clone(), busy.clone(), told.clone());
        tokio::spawn(async move {
            if let Some(live) = live.upgrade() {
                let order = match replace(&shared, &live, &token).await {
                    Ok(()) => told("renewed"),
                    Err(_) => told("refused"),
                };
                live.control.give(order);
            }
            busy.store(false, Ordering::Release);
        });
    };
    Some(Renew { name, judge: Box::new(judge) })
}

async fn replace(shared: &Shared, live: &Live, token: &Secret) -> Result<(), Refusal> {
    let snapshot = shared.snapshot();
    // A session whose route is gone is being ended.
    let Some(route) = snapshot.route(&live.route) else { return Err(Refusal::Forbidden) };
    let renewed = route.guard.renew(&live.standing, token).await;
    if let Err(refusal) = renewed {
        shared.metrics.refused(refusal.label());
        let identity = live.standing.identity();
        let event = Event::Refused { reason: refusal.label(), status: None };
        shared.audit.log(&event, &live.who(identity.as_deref()));
        return Err(refusal);
    }
    let identity = live.standing.identity();
    shared.audit.wait(&Event::Renewed, &live.who(identity.as_deref())).await;
    live.control.give(Order::Facts(live.facts()));
    live.control.give(match snapshot.holds(route, live) {
        Ok(()) => Order::Until(route.until(&live.standing)),
        Err(lost) => Order::End(route.lost(lost)),
    });
    Ok(())
}
