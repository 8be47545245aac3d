//! Sessions live as long as their tokens: those of short ones end, and only those.

use std::time::{Duration, Instant};

use wicketgate_testkit::peers::oidc::TokenForm;

use super::{
    super::load::{Fate, Load},
    MARGIN, Site,
};

const SESSIONS: usize = 60;
const SHORT: Duration = Duration::from_secs(4);
const LONG: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_short_tokens_end_in_time() {
    let site = Site::start().await;
    let (mut short, mut long) = (Load::none(), Load::none());
    let forms = [TokenForm::Es256, TokenForm::Rs256, TokenForm::Opaque];
    // `exp` is a whole second: the end comes up to a second before this.
    let issued = Instant::now();
    let mut tokens = Vec::new();
    for form in forms {
        tokens.push((site.token(form, SHORT).await, site.token(form, LONG).await));
    }
    for at in 0..SESSIONS {
        let (ends, stays) = &tokens[at % forms.len()];
        short.join(site.open(ends).await.unwrap()).await;
        long.join(site.open(stays).await.unwrap()).await;
    }
    short.round().await;
    short.ended().await.all(SESSIONS, Fate::Closed(1008));
    let lived = issued.elapsed();
    assert!(lived > SHORT - Duration::from_secs(1) && lived < SHORT + MARGIN, "{lived:?}");
    for (ended, _) in &tokens {
        assert_eq!(site.open(ended).await.err(), Some(401));
    }
    long.round().await;
    long.finish().await.all(SESSIONS, Fate::Finished);
}
