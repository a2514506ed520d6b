//! A real Chromium without a window, driven over the `DevTools` protocol: messages in JSON,
//! each ended by a zero byte, through the pipe that Chromium opens for that.
//!
//! Deliberately not here: what is tested.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Chromium may well be slow on a busy machine; it is never waited for longer than that.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where Chromium is, if there is one.
pub(crate) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let all = std::env::split_paths(&path).flat_map(|it| NAMES.map(|name| it.join(name)));
    all.into_iter().find(|it| it.is_file())
}

/// A browser with one page.
pub(crate) struct Browser {
    process: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    session: String,
    last: u64,
    /// Whatever a page said on its console, or did not catch.
    pub(crate) said: Vec<String>,
    /// The addresses of everything that was asked for.
    pub(crate) requests: Vec<String>,
    _profile: TempDir,
}

impl Browser {
    /// Starts it, with a window of that many pixels.
    pub(crate) fn start(program: &Path) -> Self {
        let profile = TempDir::new().expect("a temporary folder");
        // Chromium reads from its third file and writes to its fourth.
        let script = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null";
        let mut process = Command::new("sh")
            .args(["-c", script])
            .arg(program)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
            .args(["--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell starts");
        let input = process.stdin.take().expect("a pipe");
        let output = process.stdout.take().expect("a pipe");
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("Chromium speaks JSON");
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Self {
            process,
            input,
            messages,
            session: String::new(),
            last: 0,
            said: Vec::new(),
            requests: Vec::new(),
            _profile: profile,
        };
        browser.attach();
        browser
    }

    fn attach(&mut self) {
        let target = self.command("Target.createTarget", json!({ "url": "about:blank" }));
        let about = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.command("Target.attachToTarget", about);
        session["sessionId"].as_str().expect("a session").clone_into(&mut self.session);
        for domain in ["Runtime", "Page", "Network", "Log"] {
            self.command(&format!("{domain}.enable"), json!({}));
        }
    }

    /// Sends a command and waits for its answer.
    pub(crate) fn command(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.write_all(&bytes).expect("Chromium listens");
        self.input.flush().expect("Chromium listens");
        loop {
            let message = self.messages.recv_timeout(PATIENCE);
            let message = message.unwrap_or_else(|_| panic!("Chromium does not answer {method}"));
            if message["id"] == self.last {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.note(&message);
        }
    }

    fn note(&mut self, message: &Value) {
        let about = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => self.said.push(about["exceptionDetails"].to_string()),
            "Runtime.consoleAPICalled" => self.said.push(about["args"].to_string()),
            "Log.entryAdded" => self.said.push(about["entry"].to_string()),
            "Network.requestWillBeSent" => {
                let address = about["request"]["url"].as_str().unwrap_or_default();
                self.requests.push(address.to_owned());
            }
            _ => {}
        }
    }

    /// The size of the window, in pixels, and whether the system is dark.
    pub(crate) fn window(&mut self, width: u32, height: u32, dark: bool) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.command("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
    }

    /// Opens a page from disk, and waits until it shows something.
    pub(crate) fn open(&mut self, path: &Path) {
        self.said.clear();
        self.requests.clear();
        let address = format!("file://{}", path.display());
        self.command("Page.navigate", json!({ "url": address }));
        let ready = "window.hostmem !== undefined && hostmem.state.frames > 0";
        for _ in 0..6000 {
            if self.value(ready) == true {
                return self.settle();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{}: it never opens; {:?}", path.display(), self.said);
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let about =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.command("Runtime.evaluate", about);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until what changed was drawn.
    pub(crate) fn settle(&mut self) {
        let frames = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => \
                      setTimeout(done, 0))))";
        self.value(frames);
    }

    /// Presses a key, as a person does, and waits until that was drawn.
    pub(crate) fn press(&mut self, key: &str) {
        let text = if key.chars().count() == 1 { key } else { "" };
        let down = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        let mut about = json!({ "type": down, "key": key });
        if !text.is_empty() {
            about["text"] = json!(text);
        }
        if key == "Escape" {
            // What the browser itself does goes by the number.
            about["windowsVirtualKeyCode"] = json!(27);
        }
        self.command("Input.dispatchKeyEvent", about);
        self.command("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key }));
        self.settle();
    }

    /// A picture of the window as PNG.
    pub(crate) fn picture(&mut self) -> Vec<u8> {
        let answer = self.command("Page.captureScreenshot", json!({ "format": "png" }));
        let text = answer["data"].as_str().expect("a picture");
        base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It has nothing to save; if it is gone already, so much the better.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
