//! The calls of BlueKing Job, through either of its doors: the API gateway, where a header says who
//! calls, or the service bus (ESB) of older installations, where the parameters do.

use serde_json::{Map, Value};

use crate::domain::exchange::{HeaderText, HttpRequest, Method};
use crate::domain::secret::Secret;
use crate::template::escape::Escape;

/// A platform, and the way in.
#[derive(Debug)]
pub struct Api {
    /// All of the address before the name of the method, without a slash at its end.
    pub root: String,
    /// How it is said who calls.
    pub door: Door,
    /// `biz` or `biz_set`.
    pub scope_type: String,
    /// Number of the business, or of the set of them.
    pub scope_id: String,
}

/// How it is said who calls.
#[derive(Debug)]
pub enum Door {
    /// By this value of `X-Bkapi-Authorization`.
    Gateway(HeaderText),
    /// By these parameters of every call.
    Bus {
        /// Code of the app.
        app_code: String,
        /// Its secret.
        app_secret: Secret,
        /// The user in whose name is called.
        username: String,
    },
}

impl Api {
    /// A question: its parameters stand in the address.
    pub fn question(&self, method: &str, query: &[(&str, &str)]) -> HttpRequest {
        let own = self.own();
        let all = own.iter().copied().chain(query.iter().copied());
        let query: Vec<String> =
            all.map(|(name, value)| format!("{name}={}", Escape::Url.apply(value))).collect();
        self.call(Method::Get, method, &format!("?{}", query.join("&")))
    }

    /// A call that changes something: its parameters are its body.
    pub fn change(&self, method: &str, mut fields: Map<String, Value>) -> HttpRequest {
        fields.extend(self.own().into_iter().map(|(name, value)| (name.to_owned(), value.into())));
        self.call(Method::Post, method, "").json(&Value::Object(fields))
    }

    /// Parameters of every call.
    fn own(&self) -> Vec<(&str, &str)> {
        let mut own = vec![("bk_scope_type", &*self.scope_type), ("bk_scope_id", &*self.scope_id)];
        if let Door::Bus { app_code, app_secret, username } = &self.door {
            own.extend([
                ("bk_app_code", app_code.as_str()),
                ("bk_app_secret", app_secret.expose()),
                ("bk_username", username),
            ]);
        }
        own
    }

    fn call(&self, how: Method, method: &str, query: &str) -> HttpRequest {
        let accept = HeaderText::Plain("application/json".into());
        match &self.door {
            Door::Gateway(authorization) => HttpRequest::new(how, format!("{}/{method}{query}", self.root))
                .header("X-Bkapi-Authorization", authorization.clone())
                .header("Accept", accept),
            // Without the slash the bus redirects.
            Door::Bus { .. } => {
                HttpRequest::new(how, format!("{}/{method}/{query}", self.root)).header("Accept", accept)
            }
        }
    }
}
