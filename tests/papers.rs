//! The tutorial is walked as a reader would walk it: its files are written, its commands are run in
//! their order with the real binary, in one shell in an empty folder, and what it says they print is
//! what they print. The word behind the language of a code block says what is done with it:
//!
//! - `file=NAME`: written under that name.
//! - ```` ```sh run ````: run; with `fails`: it must fail; with `background`: it goes on while the next
//!   ones run, and is ready when the relay answers.
//! - ```` ```text output ````: its lines, in this order, are part of what the commands above it printed;
//!   `…` stands for anything.
#![expect(clippy::disallowed_methods, reason = "the binary is put into the path")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fall over")]

mod support;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use alert_relay::cli::args::Cli;
use alert_relay::source::SOURCES;
use alert_relay::target::KINDS;
use clap::Parser as _;
use clap::error::ErrorKind;
use support::ports::free_port;

struct Block {
    line: usize,
    /// Blanks before it, where it stands in a list; they are no part of it.
    indent: usize,
    info: String,
    text: String,
}

impl Block {
    fn is(&self, start: &str) -> bool {
        self.info.starts_with(start)
    }

    fn has(&self, word: &str) -> bool {
        self.info.split(' ').any(|have| have == word)
    }

    fn file(&self) -> Option<&str> {
        self.info.split(' ').find_map(|word| word.strip_prefix("file="))
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let (mut blocks, mut open) = (Vec::new(), None::<Block>);
    for (index, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(info), None) => {
                let indent = line.len() - line.trim_start().len();
                open = Some(Block { line: index + 1, indent, info: info.to_owned(), text: String::new() });
            }
            (None, Some(mut block)) => {
                block.text.push_str(line.get(block.indent..).unwrap_or_default());
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    blocks
}

const READY: &str =
    "for _ in $(seq 200); do curl -sf http://127.0.0.1:9095/-/ready > /dev/null && break; sleep 0.1; done\n";

/// One script of all commands; each prints into a file of its own, named after its line.
fn script(blocks: &[Block]) -> String {
    let mut script = String::from("trap 'kill $(jobs -p) 2> /dev/null' EXIT\n");
    for block in blocks {
        if let Some(file) = block.file() {
            writeln!(script, "cat > {file} <<'END_OF_FILE'\n{}END_OF_FILE", block.text).unwrap();
        } else if block.has("background") {
            script.push_str(&block.text);
            script.push_str(READY);
        } else if block.is("sh run") {
            let verdict = if block.has("fails") { "[ $? -ne 0 ]" } else { "[ $? -eq 0 ]" };
            let line = block.line;
            writeln!(script, "{{\n{}}} > said-{line} 2>&1\n{verdict} || echo {line} >> wrong", block.text)
                .unwrap();
        }
    }
    script
}

/// Whether `said` has these lines in this order, each somewhere in a line of it.
fn missing<'t>(said: &str, wanted: &'t str) -> Option<&'t str> {
    let mut lines = said.lines();
    wanted.lines().find(|wanted| {
        let parts: Vec<&str> = wanted.trim().split('…').collect();
        let fits = |line: &str| {
            let mut rest = line;
            parts.iter().all(|part| match rest.find(part) {
                Some(at) => {
                    rest = &rest[at + part.len()..];
                    true
                }
                None => false,
            })
        };
        !lines.any(fits)
    })
}

fn walk(page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = blocks(&text);
    let folder = tempfile::tempdir().unwrap();
    let script = script(&blocks).replace("9095", &free_port().to_string());
    let binary = Path::new(env!("CARGO_BIN_EXE_alert-relay")).parent().unwrap().display().to_string();
    let search = std::env::var("PATH").unwrap();
    // The port is said on the page by its default, which is that of another relay here.
    let port = script.split("http://127.0.0.1:").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let ended = Command::new("bash")
        .arg("-c")
        .arg(&script)
        .current_dir(folder.path())
        .env("PATH", format!("{binary}:{search}"))
        .env("ALERT_RELAY_URL", format!("http://127.0.0.1:{port}"))
        .env_remove("PAGERDUTY_ROUTING_KEY")
        .output()
        .unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let context = || format!("{}\n{}", String::from_utf8_lossy(&ended.stderr), read("log.txt"));
    let wrong = read("wrong");
    if let Some(line) = wrong.lines().next() {
        let said = read(&format!("said-{line}"));
        panic!("{page}:{line} did not end as the page says:\n{said}\n{}", context());
    }
    let mut said = String::new();
    let mut outputs = 0;
    for block in &blocks {
        if block.is("sh run") && !block.has("background") {
            said = read(&format!("said-{}", block.line));
        } else if block.is("text output") {
            outputs += 1;
            if let Some(line) = missing(&said, &block.text) {
                panic!("{page}:{}: {line:?} is not in what was printed:\n{said}\n{}", block.line, context());
            }
        }
    }
    assert!(outputs > 5, "{page}: only {outputs} outputs were compared");
}

#[test]
fn the_guide_does_what_it_says() {
    walk("docs/guide.md");
}

#[test]
fn the_chinese_guide_has_the_same_commands_and_files() {
    let read =
        |page: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let of = |page: &str| -> Vec<String> {
        blocks(&read(page)).into_iter().map(|block| format!("{}\n{}", block.info, block.text)).collect()
    };
    assert_eq!(of("docs/guide.zh-CN.md"), of("docs/guide.md"));
    let chinese = read("README.zh-CN.md");
    let kinds = KINDS.iter().map(|kind| kind.name).chain(SOURCES.iter().map(|source| source.name));
    let missing: Vec<&str> = kinds.filter(|kind| !chinese.contains(&format!("`{kind}`"))).collect();
    assert_eq!(missing, Vec::<&str>::new(), "kinds that README.zh-CN.md does not name");
}

#[test]
fn the_alert_that_the_readme_posts_is_taken_by_the_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let (readme, folder) = (read("README.md"), tempfile::tempdir().unwrap());
    let post = readme.lines().find(|line| line.starts_with("curl -sS --data-binary")).unwrap();
    let config = folder.path().join("relay.yaml");
    let example =
        read("relay.example.yaml").replace("path: ./data", &format!("path: {}", folder.path().display()));
    let (config, port) = (config.display().to_string(), free_port().to_string());
    std::fs::write(&config, example.replace("127.0.0.1:9095", &format!("127.0.0.1:{port}"))).unwrap();
    let binary = env!("CARGO_BIN_EXE_alert-relay");
    let script = format!(
        "trap 'kill $(jobs -p)' EXIT\n{binary} serve --config {config} > /dev/null 2>&1 &\n{READY}{post}"
    );
    let said =
        Command::new("bash").arg("-c").arg(script.replace("9095", &port)).current_dir(root).output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.starts_with("{\"accepted\":3,"), "{said}");
}

/// The commands of our own on a page, in its shell blocks and in its sentences, with example values where
/// it has `<…>`; and whether one may be left without its arguments, as sentences do.
fn own_commands(page: &Path) -> Vec<(String, bool)> {
    let text = std::fs::read_to_string(page).unwrap();
    let mut fence = None;
    let mut commands = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(language) = line.strip_prefix("```") {
            fence = if fence.is_none() { Some(language.starts_with("sh")) } else { None };
        } else if fence.is_none() {
            // Every second piece between the marks is code.
            let code = line.split('`').skip(1).step_by(2);
            let ours = code.filter(|code| code.starts_with("alert-relay ")).filter_map(in_a_sentence);
            commands.extend(ours.map(|command| (command, true)));
        } else if fence == Some(true) && line.starts_with("alert-relay ") {
            let end = [" #", " |", " >", " &&", " 2>"].iter().filter_map(|stop| line.find(stop)).min();
            let line = line[..end.unwrap_or(line.len())].trim_end_matches(['&', '\\', ' ']);
            // What stands in quotes is one word.
            let quoted = |(part, text): (usize, &str)| match part % 2 {
                0 => text.to_owned(),
                _ => text.replace(' ', "_"),
            };
            let line: String = line.split('\'').enumerate().map(quoted).collect();
            let words: Vec<&str> =
                line.split_whitespace().map(|word| if word.starts_with('<') { "1" } else { word }).collect();
            commands.push((words.join(" "), false));
        }
    }
    commands
}

/// A command as a sentence has it, a number in the place of each `<…>`. Where it says `…` or `a|b` instead
/// of a word, it is for people.
fn in_a_sentence(code: &str) -> Option<String> {
    let value = regex::Regex::new("<[^>]*>").unwrap();
    let command = value.replace_all(code, "1").into_owned();
    let is_whole = !command.contains('|') && command.split(' ').all(|word| word != "…");
    is_whole.then_some(command)
}

#[test]
fn every_command_that_a_page_shows_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages =
        ["README.md", "docs/operations.md", "docs/incidents.md", "docs/reload.md", "docs/callbacks.md"];
    let more = ["docs/guide.md", "docs/install.md", "docs/systemd.md", "docs/import.md", "docs/security.md"];
    let mut tried = 0;
    for page in pages.iter().chain(&more) {
        for (command, is_name) in own_commands(&root.join(page)) {
            tried += 1;
            let lacks = |wrong: &clap::Error| {
                let kinds =
                    [ErrorKind::MissingRequiredArgument, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
                kinds.contains(&wrong.kind())
            };
            if let Err(wrong) = Cli::try_parse_from(command.split(' '))
                && wrong.use_stderr()
                && !(is_name && lacks(&wrong))
            {
                panic!("{page}: {command}\n{wrong}");
            }
        }
    }
    assert!(tried > 60, "only {tried} commands were found");
}
