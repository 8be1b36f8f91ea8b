//! The table holds what it promises, and what is not there is told with the nearest that is.

use super::*;

fn paths() -> Paths<Endpoint> {
    Paths::new(ENDPOINTS).unwrap()
}

#[test]
fn senders_and_admins_do_not_share_a_door_unless_there_is_only_one() {
    for row in ENDPOINTS {
        let apart = [Door::Senders, Door::Admin].map(|door| door.leads_to(row.access));
        let expected = if row.access == Access::Anyone { 2 } else { 1 };
        assert_eq!(apart.iter().filter(|open| **open).count(), expected, "{}", row.pattern);
        assert!(Door::Whole.leads_to(row.access));
    }
    assert!(!Door::Senders.leads_to(OPERATE) && !Door::Admin.leads_to(Access::Senders));
}

#[test]
fn each_row_asks_for_the_role_that_its_method_and_path_call_for() {
    for row in ENDPOINTS {
        let of_senders =
            ["/hooks/", "/changes/", "/callbacks/", "/api/v2/"].iter().any(|p| row.pattern.starts_with(p));
        let expected = match (row.pattern, &row.method) {
            ("/-/healthy" | "/-/ready" | "/metrics" | "/api/v1/openapi.json", &Method::GET) => Access::Anyone,
            ("/", &Method::GET) => LOBBY,
            _ if of_senders => Access::Senders,
            (_, &Method::GET) => READ,
            _ => OPERATE,
        };
        assert_eq!(row.access, expected, "{} {}", row.method, row.pattern);
    }
}

#[test]
fn every_row_of_the_table_is_found() {
    let paths = paths();
    for row in ENDPOINTS {
        let path = row.pattern.replace(['{', '}'], "");
        let found = paths.find(&row.method, &path).unwrap();
        assert_eq!((found.endpoint, found.pattern), (row.endpoint, row.pattern));
    }
}

#[test]
fn parameters_are_decoded() {
    let paths = paths();
    let found = paths.find(&Method::POST, "/hooks/gu%20ance/a%2Fb%3D").unwrap();
    assert_eq!((found.param("source"), found.param("token"), found.param("x")), ("gu ance", "a/b=", ""));
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let paths = paths();
    let allow = |method: Method, path: &str| match paths.find(&method, path) {
        Err(Missing::Method { allow, .. }) => allow,
        other => panic!("{other:?}"),
    };
    assert_eq!(allow(Method::GET, "/hooks/prod"), "POST");
    assert_eq!(allow(Method::POST, "/metrics"), "GET, HEAD");
    assert_eq!(paths.find(&Method::HEAD, "/metrics").unwrap().endpoint, Endpoint::Metrics);
}

#[test]
fn a_wrong_path_is_told_the_nearest() {
    let paths = paths();
    let nearest = |path: &str| match paths.find(&Method::POST, path) {
        Err(Missing::Path { nearest }) => nearest,
        other => panic!("{other:?}"),
    };
    assert_eq!(nearest("/hook/prod"), Some("/hooks/{source}"));
    assert_eq!(nearest("/hooks"), Some("/hooks/{source}"));
    assert_eq!(nearest("/hook/guance/s3cret-t0ken-of-any-length"), Some("/hooks/{source}/{token}"));
    assert_eq!(nearest("/-/health"), Some("/-/healthy"));
    assert_eq!(nearest("/metric/"), Some("/metrics"));
    assert_eq!(nearest("/wp-admin/setup.php"), None);
    assert_eq!(nearest(&"/x".repeat(4000)), None);
}

#[test]
fn a_table_with_a_mistake_is_refused() {
    let row = |pattern| Row { method: Method::GET, pattern, endpoint: (), access: Access::Anyone };
    assert!(Paths::new(&[row("/a"), row("/a")]).unwrap_err().contains("twice"));
    assert!(Paths::new(&[row("/{a")]).is_err());
}
