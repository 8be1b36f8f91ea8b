//! The walls of the house: reads the imports of `src/` and fails on an arrow that runs up, between
//! rooms of one floor or in a circle, and on what else the house forbids (`floors/rules.rs`). The
//! rules themselves are tried on small made-up trees below, so that each of them is known to bite.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]

#[path = "floors/reading.rs"]
mod reading;
#[path = "floors/rules.rs"]
mod rules;

use reading::Tree;
use rules::problems;

/// The map, floor 0 first: a room may import from floors below its own, and from itself. `domain`
/// is the ground that even `document` stands on (it gives `Problem`s).
const FLOORS: &[&[&str]] = &[
    &["domain"],
    &["pace", "document"],
    &["source", "route", "template", "config", "store", "client", "auth", "metrics", "trace"],
    &["target"],
    &["rulebook"],
    &["assemble", "plan", "deliver", "incident"],
    &["server"],
    &["daemon", "cli"],
    &["main"],
];

#[test]
fn the_house_keeps_its_walls() {
    let tree = Tree::from_disk(env!("CARGO_MANIFEST_DIR"));
    assert!(tree.files.len() > 10, "the tree was not read: {} files", tree.files.len());
    let found = problems(&tree, FLOORS);
    assert!(found.is_empty(), "\n{} broken walls:\n  {}\n", found.len(), found.join("\n  "));
}

/// A house without a fault, on which the cases below break one thing each.
const SOUND: &[(&str, &str)] = &[
    ("src/lib.rs", "//! Rooms: domain, route, client, target, plan, main.\npub mod domain;\n"),
    ("src/main.rs", "//! Door.\nuse alert_relay::plan::now;\n"),
    ("src/domain/mod.rs", "//! Words.\npub mod alert;\npub mod secret;\n"),
    ("src/domain/alert.rs", "//! Alert.\nuse crate::domain::secret::Secret;\n"),
    ("src/domain/secret.rs", "//! Secret.\n"),
    ("src/route/mod.rs", "//! Routing.\nuse crate::domain::alert::Alert;\n"),
    ("src/client.rs", "//! Socket.\nuse crate::domain::{alert::Alert, secret::Secret};\n"),
    ("src/target/mod.rs", "//! Kinds.\nuse crate::target::pager;\n"),
    (
        "src/target/pager.rs",
        "//! Pager.\npub const KIND: Kind = Kind {\n    name: \"pager\",\n};\nuse crate::domain::alert::Alert;\n",
    ),
    ("src/plan.rs", "//! Plan.\nuse crate::route::Tree;\nuse crate::target::pager;\n"),
    ("templates/pager/summary.hbs", ""),
    ("tests/targets/pager/one/message.json", ""),
];

/// The sound house with `path` (re)written.
fn with(path: &str, text: &str) -> Vec<String> {
    problems(&Tree::made_up(SOUND).put(path, text), FLOORS)
}

/// Exactly one problem, and it says `sentence`.
#[track_caller]
fn broken(found: &[String], sentence: &str) {
    assert!(found.len() == 1 && found[0].contains(sentence), "wanted one {sentence:?}, found {found:#?}");
}

#[test]
fn a_sound_house_has_no_problem() {
    assert_eq!(problems(&Tree::made_up(SOUND), FLOORS), Vec::<String>::new());
}

#[test]
fn an_arrow_up_is_found_in_a_use_in_a_path_and_in_a_group() {
    for text in [
        "//! Words.\nuse crate::target::pager;\n",
        "//! Words.\nfn f() { let _ = crate::target::pager::KIND; }\n",
        "//! Words.\nuse crate::{domain::secret::Secret, target::pager};\n",
        "//! Words.\nuse crate::{\n    domain::{alert, secret::{self, Secret}},\n    target,\n};\n",
        "//! Words.\n#[cfg(test)]\nmod tests {\n    use crate::target::pager;\n}\n",
    ] {
        broken(&with("src/domain/mail.rs", text), "domain (floor 0) imports target (floor 3)");
    }
}

#[test]
fn an_arrow_between_rooms_of_one_floor_is_found() {
    let found = with("src/route/mod.rs", "//! Routing.\nuse crate::client::Client;\n");
    broken(&found, "src/route/mod.rs:2: route and client share floor 2");
}

#[test]
fn an_arrow_up_through_super_is_found() {
    broken(&with("src/client.rs", "//! Socket.\nuse super::plan::Plan;\n"), "client (floor 2) imports plan");
    let deep = "//! Alert.\nuse super::super::plan::Plan;\n";
    broken(&with("src/domain/alert.rs", deep), "domain (floor 0) imports plan");
}

#[test]
fn words_in_comments_and_strings_are_no_arrows() {
    let text = "//! See [`crate::plan::x`].\n/* crate::plan */\nconst A: &str = \"crate::plan::x\"; // crate::plan\n\
                const B: &str = r#\"a \" crate::plan::x\"#; const C: char = '\"';\n";
    assert_eq!(with("src/client.rs", text), Vec::<String>::new());
}

#[test]
fn a_circle_inside_a_room_is_found_once_and_named() {
    let text = "//! Secret.\nuse super::alert::Alert;\n";
    broken(&with("src/domain/secret.rs", text), "circle: domain::alert > domain::secret > domain::alert");
}

#[test]
fn a_room_that_is_not_on_the_map_is_found() {
    let found = with("src/attic/mod.rs", "//! Attic.\n");
    assert!(found.iter().any(|p| p.contains("src/attic/mod.rs: room attic is on no floor")), "{found:#?}");
}

#[test]
fn a_room_that_lib_rs_does_not_name_is_found() {
    let text = "//! Rooms: domain, route, client, target, main. No planning.\n";
    broken(&with("src/lib.rs", text), "src/lib.rs: the map does not name the room plan");
}

#[test]
fn a_re_export_is_found() {
    let text = "//! Words.\npub mod alert;\npub mod secret;\npub use self::alert::Alert;\n";
    broken(&with("src/domain/mod.rs", text), "src/domain/mod.rs:4: a re-export");
    let text = "//! Words.\npub mod alert;\npub(crate) use self::alert::Alert;\n";
    broken(&with("src/domain/mod.rs", text), "src/domain/mod.rs:3: a re-export");
}

#[test]
fn a_file_of_401_lines_is_found_and_one_of_400_is_not() {
    let lines = |n: usize| format!("//! Long.\n{}", "const A: u8 = 1;\n".repeat(n - 1));
    assert_eq!(with("src/route/long.rs", &lines(400)), Vec::<String>::new());
    broken(&with("src/route/long.rs", &lines(401)), "src/route/long.rs: 401 lines");
}

#[test]
fn a_file_that_does_not_say_what_it_is_is_found() {
    broken(&with("src/route/mute.rs", "use crate::domain::alert::Alert;\n"), "does not open with `//!`");
    broken(&with("tests/mute.rs", "#[test]\nfn f() {}\n"), "tests/mute.rs: does not open with `//!`");
}

#[test]
fn banned_names_are_found_in_files_folders_and_modules() {
    broken(&with("src/route/util.rs", "//! X.\n"), "`util`");
    broken(&with("src/route/helpers/text.rs", "//! X.\n"), "`helpers`");
    broken(&with("src/route/retry_handler.rs", "//! X.\n"), "`retry_handler`");
    broken(&with("src/route/x.rs", "//! X.\nmod common {}\n"), "`common`");
    broken(&with("tests/common/mod.rs", "//! X.\n"), "`common`");
    assert_eq!(
        with("src/template/helpers.rs", "//! Handlebars has helpers.\n").len(),
        1,
        "template is unnamed in lib.rs"
    );
    assert_eq!(with("src/route/alertmanager.rs", "//! A product, not a manager.\n"), Vec::<String>::new());
}

#[test]
fn a_proof_that_is_compared_by_hand_is_found() {
    for line in [
        "fn f(a: &Secret, b: &str) -> bool { a.expose() == b }",
        "fn f(a: &Secret, b: &[u8]) -> bool { b != a.expose() }",
        "fn f(a: &Secret, b: &[u8]) -> bool { a.expose().as_bytes() == b }",
        "fn f(a: &[u8], b: &[u8]) -> bool { a.ct_eq(b).into() }",
        "fn f(a: Mac, b: &[u8]) -> bool { a.verify_slice(b).is_ok() }",
    ] {
        let text = format!("//! Routing.\n{line}\n");
        broken(&with("src/route/mod.rs", &text), "src/route/mod.rs:2: a proof is compared here");
    }
    let told = "//! Routing.\nfn f(a: &Secret) -> bool { a.is_empty() && size(a.expose()) == 3 }\n";
    assert_eq!(with("src/route/mod.rs", told), Vec::<String>::new());
}

#[test]
fn a_kind_without_templates_or_cases_is_found() {
    let bare = Tree::made_up(SOUND).without("templates/pager/summary.hbs");
    broken(&problems(&bare, FLOORS), "kind pager has no templates/pager/");
    let untried = Tree::made_up(SOUND).without("tests/targets/pager/one/message.json");
    broken(&problems(&untried, FLOORS), "kind pager has no tests/targets/pager/");
}
