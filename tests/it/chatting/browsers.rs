//! Clients that share no code with ours: a real browser and Node.

use super::House;
use super::client::Client;
use crate::stage::{Browser, PATIENCE, needs};
use serde_json::json;

/// A page opens a socket and notes what comes.
const OPEN: &str = "new Promise((done) => {
    window.heard = [];
    window.socket = new WebSocket(`ws://${location.host}/api/v1/streams/cam/chat/ws`, 'msconv.chat.v1');
    socket.onmessage = (event) => { heard.push(JSON.parse(event.data)); done(socket.protocol); };
    socket.onerror = () => done('refused');
})";

#[test]
fn a_page_talks_and_a_page_of_somebody_else_does_not() {
    let Some(house) = House::new("chat-browser") else { return };
    let Some(mut browser) = Browser::start(&house.stage) else { return };
    let port = house.serve.address("web").port();
    let mut ann = Client::viewer(&house.serve, "cam");
    browser.open(&format!("http://localhost:{port}/health"), json!({}));
    assert_eq!(browser.eval(OPEN), "msconv.chat.v1");
    assert_eq!(browser.eval("heard[0].you.role"), "moderator");
    assert_eq!(browser.eval("document.cookie"), "", "no script sees the token");
    browser.eval(r#"socket.send(JSON.stringify({ type: "say", text: "from a page <script>" }))"#);
    assert_eq!(ann.text(), "from a page <script>");
    ann.said("to a page");
    browser.until("heard.some((frame) => frame.text === 'to a page')", "heard");
    let id = browser.eval("heard[0].you.id");
    browser.eval("socket.close()");
    assert_eq!(browser.eval(OPEN), "msconv.chat.v1");
    assert_eq!(browser.eval("heard[0].you.id"), id, "the same when it comes back");
    // The same page under another name, which is another origin.
    browser.open(&format!("http://127.0.0.1:{port}/health"), json!({}));
    let foreign = OPEN.replace("${location.host}", &format!("localhost:{port}"));
    assert_eq!(browser.eval(&foreign), "refused");
    let write = format!(
        "fetch('http://localhost:{port}/api/v1/streams/cam/chat/messages', {{ method: 'POST', mode: 'no-cors', body: '{{\"text\":\"x\"}}' }}).then(() => 'sent', () => 'refused')"
    );
    browser.eval(&write);
    ann.said("the end");
    let list = house.list("?after=0");
    assert_eq!(super::texts(&list["items"]), ["from a page <script>", "to a page", "the end"]);
}

#[test]
fn node_talks() {
    if !needs("node") {
        return;
    }
    let Some(house) = House::new("chat-node") else { return };
    let mut ann = Client::viewer(&house.serve, "cam");
    let url = format!("ws://{}/api/v1/streams/cam/chat/ws", house.serve.address("web"));
    let script = "const socket = new WebSocket(process.argv[1], 'msconv.chat.v1');
        socket.onmessage = ({ data }) => {
            const frame = JSON.parse(data);
            if (frame.type === 'hello') socket.send(JSON.stringify({ type: 'say', text: 'from node' }));
            if (frame.text === 'to node') { console.log(frame.from.id); socket.close(); }
        };
        socket.onerror = () => process.exit(3);";
    let node = house.stage.spawn("node", &["--experimental-websocket", "-e", script, &url]);
    assert_eq!(ann.text(), "from node");
    ann.said("to node");
    assert_eq!(node.wait(PATIENCE).expect(0).stdout.trim(), ann.id());
}
