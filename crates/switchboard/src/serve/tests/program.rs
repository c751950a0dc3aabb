//! A conversation in Rust, in a whole call: the example itself.

use switchboard_bot::program::handler;

use super::*;

#[path = "../../../../bot/examples/front_desk.rs"]
#[allow(dead_code, reason = "its main is for people")]
mod front_desk;

#[tokio::test(flavor = "multi_thread")]
async fn the_example_takes_callers_and_passes_them_on() {
    let names = "# prompts: menu hours connect nobody bye\nstart = \"end\"\notherwise = \"end\"\n\
                 [nodes.end]\nhang_up = true\n";
    let parts = Parts {
        handler: Some(handler(front_desk::talk)),
        ..Parts::new(script(names).await)
    };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let site = Site::with(any, parts, TransportConfig::default()).await;
    let site = site.expect("the site starts");
    let mut agent = Person::at(&site, "agent", PhoneRole::Agent).await;
    let mut caller = Person::calling(&site).await;
    caller.begins_to_hear("menu").await;
    caller.press("1");
    caller.hears("hours").await;
    caller.hears("menu").await;
    caller.press("0");
    caller.hears("connect").await;
    let transfer = Noticed::Rings(IncomingReason::Transfer);
    agent.until(|noticed| *noticed == transfer).await;
    agent.decline().await;
    caller.hears("nobody").await;
    caller.begins_to_hear("menu").await;
    caller.hang_up().await;
    caller.is_hung_up_on().await;
    site.stop().await;
}
