//! Where a worker is and how to speak to it.

use std::{fmt, net::IpAddr, str::FromStr};

use tonic::transport::Uri;

use crate::{Error, Result};

/// One data owner's place: a name for messages and layouts, an address, and the tenant's token.
#[derive(Clone, PartialEq, Eq)]
pub struct Site {
    /// The name by which layouts and errors speak of it; unique within a federation.
    pub name: String,
    /// `http://HOST:PORT` (loopback alone) or `https://HOST:PORT`.
    pub url: String,
    /// The bearer token that the owner gave.
    pub token: String,
    /// The certificate authority that signed the worker's certificate, as PEM; needed for `https`.
    pub ca_pem: Option<String>,
}

/// The token cannot be printed.
impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("name", &self.name).field("url", &self.url).finish_non_exhaustive()
    }
}

impl Site {
    /// A site. The address is checked when it is connected.
    pub fn new(name: impl Into<String>, url: impl Into<String>, token: impl Into<String>) -> Self {
        Self { name: name.into(), url: url.into(), token: token.into(), ca_pem: None }
    }

    /// From the line that a worker prints: `fondaco://TOKEN@HOST:PORT`, or `fondaco+tls://TOKEN@HOST:PORT`.
    /// The site is named `HOST:PORT`; [`Site::named`] gives it a better name.
    ///
    /// # Errors
    /// `Config` if the line has another form, or would send the token in clear beyond this machine.
    pub fn parse(line: &str) -> Result<Self> {
        let wrong = || Error::Config("a connect line is fondaco://TOKEN@HOST:PORT or fondaco+tls://…".to_owned());
        let line = line.trim();
        let (scheme, rest) = match (line.strip_prefix("fondaco://"), line.strip_prefix("fondaco+tls://")) {
            (Some(rest), _) => ("http", rest),
            (None, Some(rest)) => ("https", rest),
            (None, None) => return Err(wrong()),
        };
        let (token, address) = rest.rsplit_once('@').ok_or_else(wrong)?;
        let address = address.trim_end_matches('/');
        if token.is_empty() || !address.contains(':') {
            return Err(wrong());
        }
        let site = Self::new(address, format!("{scheme}://{address}"), token);
        site.uri()?;
        Ok(site)
    }

    /// The same site under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The same site, its certificate checked against this authority (PEM).
    #[must_use]
    pub fn with_ca_pem(mut self, ca_pem: impl Into<String>) -> Self {
        self.ca_pem = Some(ca_pem.into());
        self
    }

    /// The address; refused where the token would travel in clear beyond this machine.
    pub(crate) fn uri(&self) -> Result<Uri> {
        let wrong = |why: &str| Error::Config(format!("site {}: {why}", self.name));
        let uri: Uri = self.url.parse().map_err(|_| wrong("the url must be http://HOST:PORT or https://HOST:PORT"))?;
        let host = uri.host().ok_or_else(|| wrong("the url names no host"))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let loopback = host == "localhost" || IpAddr::from_str(bare).is_ok_and(|address| address.is_loopback());
        match uri.scheme_str() {
            Some("https") => Ok(uri),
            Some("http") if loopback => Ok(uri),
            Some("http") => Err(wrong("the token would travel in clear; beyond this machine use https (fondaco+tls)")),
            _ => Err(wrong("the url must begin with http:// or https://")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connect_line_is_parsed() {
        let site = Site::parse(" fondaco://s3cret@127.0.0.1:7171\n").unwrap();
        assert_eq!((site.name.as_str(), site.url.as_str()), ("127.0.0.1:7171", "http://127.0.0.1:7171"));
        assert_eq!(site.token, "s3cret");
        let site = Site::parse("fondaco+tls://s3cret@data.example:443").unwrap().named("example");
        assert_eq!((site.name.as_str(), site.url.as_str()), ("example", "https://data.example:443"));
        assert!(Site::parse("fondaco://s3cret@[::1]:7171").is_ok());
    }

    #[test]
    fn a_token_does_not_travel_in_clear() {
        let error = Site::parse("fondaco://s3cret@10.0.0.1:7171").unwrap_err().to_string();
        assert!(error.contains("in clear") && !error.contains("s3cret"), "{error}");
        assert!(Site::new("a", "http://localhost.example:1", "t").uri().is_err());
    }

    #[test]
    fn other_lines_are_refused_without_the_token() {
        for line in ["", "fondaco://", "http://t0ken@127.0.0.1:1", "fondaco://t0ken@", "fondaco://127.0.0.1:7171"] {
            let error = Site::parse(line).unwrap_err().to_string();
            assert!(!error.contains("t0ken"), "{error}");
        }
        assert!(!format!("{:?}", Site::new("a", "http://localhost:1", "t0ken")).contains("t0ken"));
    }
}
