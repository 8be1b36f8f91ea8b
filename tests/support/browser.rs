//! A real browser: Debian's Chromium without a window, spoken to in its DevTools protocol over a pair
//! of pipes. It clicks and types as a person does, and remembers whatever its console complained of.
//!
//! <https://chromedevtools.github.io/devtools-protocol/>

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a person looks at a page.
#[derive(Debug, Clone, Copy)]
pub struct Eyes {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
    /// As browsers send it: `en-GB`, `zh-CN`.
    pub language: &'static str,
}

/// A running browser with one tab; gone when dropped.
pub struct Browser {
    _folder: tempfile::TempDir,
    child: Child,
    to: File,
    from: Receiver<Value>,
    session: Option<String>,
    asked: u64,
    /// Errors and warnings of the page: exceptions, what the policy forbade, failed calls.
    pub complaints: Vec<String>,
}

impl Browser {
    pub fn start(eyes: Eyes) -> Browser {
        let folder = tempfile::tempdir().unwrap();
        let pipe = |name: &str| folder.path().join(name);
        let made = Command::new("mkfifo").args([pipe("to"), pipe("from")]).status().unwrap();
        assert!(made.success());
        // A shell hands the pipes over as the third and fourth descriptor, which is where it looks.
        let child = Command::new("sh")
            .args(["-c", r#"exec chromium "$@" 3<"$0/to" 4>"$0/from""#])
            .arg(folder.path())
            .args(["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu"])
            .args(["--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars", "--disable-extensions"])
            .args(["--disable-background-networking", "--disable-component-update", "--no-proxy-server"])
            .arg(format!("--user-data-dir={}", pipe("profile").display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = File::options().write(true).open(pipe("to")).unwrap();
        let from = BufReader::new(File::open(pipe("from")).unwrap());
        let (tell, told) = channel();
        std::thread::spawn(move || {
            for message in from.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { return };
                if tell.send(message).is_err() {
                    return;
                }
            }
        });
        let complaints = Vec::new();
        let mut browser =
            Browser { _folder: folder, child, to, from: told, session: None, asked: 0, complaints };
        let tab = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let tab =
            browser.call("Target.attachToTarget", json!({ "targetId": tab["targetId"], "flatten": true }));
        browser.session = Some(tab["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, json!({}));
        }
        browser.looks(eyes);
        browser
    }

    /// With other eyes from now on.
    pub fn looks(&mut self, eyes: Eyes) {
        let Eyes { width, height, dark, language } = eyes;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme =
            json!([{ "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": scheme }));
        let agent = json!({ "userAgent": "Mozilla/5.0 (X11; Linux) Chrome", "acceptLanguage": language });
        self.call("Emulation.setUserAgentOverride", agent);
    }

    /// Opens an address, afresh.
    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": "about:blank" }));
        self.call("Page.navigate", json!({ "url": url }));
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> Value {
        let wanted = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let found = self.call("Runtime.evaluate", wanted);
        assert!(found.get("exceptionDetails").is_none(), "{expression}: {found}");
        found["result"]["value"].clone()
    }

    /// The text of what a selector finds; empty when it finds nothing.
    pub fn text(&mut self, selector: &str) -> String {
        let text = self.value(&format!("document.querySelector({})?.innerText ?? ''", json!(selector)));
        text.as_str().unwrap().to_owned()
    }

    /// Until an expression is true.
    #[track_caller]
    pub fn until(&mut self, expression: &str) {
        let until = Instant::now() + PATIENCE;
        // A page that is being loaded has none of its elements yet, or goes away while it is asked.
        let tried = format!("(() => {{ try {{ return !!({expression}) }} catch {{ return false }} }})()");
        let wanted = json!({ "expression": tried, "returnByValue": true });
        while self.try_call("Runtime.evaluate", wanted.clone()).is_none_or(|it| it["result"]["value"] != true)
        {
            if Instant::now() > until {
                let page = self.text("body");
                panic!("never: {expression}\n{:?}\n{page}", self.complaints);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Until the text is on the page.
    #[track_caller]
    pub fn reads(&mut self, text: &str) {
        self.until(&format!("document.body.innerText.includes({})", json!(text)));
    }

    /// Clicks in the middle of what a selector finds, once it is there and nothing covers it.
    #[track_caller]
    pub fn click(&mut self, selector: &str) {
        let place = format!(
            "(() => {{ const it = document.querySelector({}); if (!it) return null;
               it.scrollIntoView({{ block: 'center' }}); const r = it.getBoundingClientRect();
               const x = r.x + r.width / 2, y = r.y + r.height / 2;
               return it.contains(document.elementFromPoint(x, y)) ? {{ x, y }} : null; }})()",
            json!(selector)
        );
        self.until(&place);
        let at = self.value(&place);
        for kind in ["mousePressed", "mouseReleased"] {
            let (x, y) = (&at["x"], &at["y"]);
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Types into what has the keyboard.
    pub fn types(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key by its name: `a`, `Tab`, `Enter`, `Escape`.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            "Escape" => (27, ""),
            letter => (u32::from(letter.to_ascii_uppercase().as_bytes()[0]), letter),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = text.into();
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// A picture of what is seen, in PNG.
    pub fn picture(&mut self) -> Vec<u8> {
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        base64::engine::general_purpose::STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
    }

    #[track_caller]
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|| panic!("{method} was refused"))
    }

    /// `None`: what was asked is gone or cannot be done.
    #[track_caller]
    fn try_call(&mut self, method: &str, params: Value) -> Option<Value> {
        self.asked += 1;
        let mut message = json!({ "id": self.asked, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        let until = Instant::now() + PATIENCE;
        loop {
            let message = match self.from.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => panic!("the browser does not answer: {method}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the browser is gone: {method}"),
            };
            self.hear(&message);
            if message["id"] == self.asked {
                return message.get("result").cloned();
            }
        }
    }

    fn hear(&mut self, message: &Value) {
        let params = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => self.complaints.push(params["exceptionDetails"].to_string()),
            "Log.entryAdded"
                if params["entry"]["level"] != "info" && params["entry"]["level"] != "verbose" =>
            {
                self.complaints.push(params["entry"]["text"].as_str().unwrap_or_default().to_owned());
            }
            // Nothing in this page opens a dialog of the browser itself: an alert is somebody's script.
            "Page.javascriptDialogOpening" => self.complaints.push(format!("a dialog: {params}")),
            _ => {}
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
