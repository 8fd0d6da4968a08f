//! Status codes (RFC 2326, 7.1.1) that msconv answers with.

use std::fmt;

/// A status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u16);

impl Status {
    /// The request has been done.
    pub const OK: Status = Status(200);
    /// The message breaks the rules.
    pub const BAD_REQUEST: Status = Status(400);
    /// Credentials are needed.
    pub const UNAUTHORIZED: Status = Status(401);
    /// Refused for good.
    pub const FORBIDDEN: Status = Status(403);
    /// Nobody publishes that.
    pub const NOT_FOUND: Status = Status(404);
    /// Not on this resource.
    pub const METHOD_NOT_ALLOWED: Status = Status(405);
    /// No description in a form that the client takes.
    pub const NOT_ACCEPTABLE: Status = Status(406);
    /// The request took too long to come.
    pub const REQUEST_TIMEOUT: Status = Status(408);
    /// The body is over the limit.
    pub const TOO_LARGE: Status = Status(413);
    /// The first line is over the limit.
    pub const URI_TOO_LARGE: Status = Status(414);
    /// A description or a codec that is not carried.
    pub const UNSUPPORTED_MEDIA: Status = Status(415);
    /// SET_PARAMETER of what there is not.
    pub const PARAMETER_NOT_UNDERSTOOD: Status = Status(451);
    /// Too many sessions.
    pub const NOT_ENOUGH_BANDWIDTH: Status = Status(453);
    /// No such session.
    pub const SESSION_NOT_FOUND: Status = Status(454);
    /// Not now.
    pub const NOT_VALID_IN_THIS_STATE: Status = Status(455);
    /// Only on a single track.
    pub const AGGREGATE_NOT_ALLOWED: Status = Status(459);
    /// Only on the whole.
    pub const ONLY_AGGREGATE: Status = Status(460);
    /// None of the offered transports.
    pub const UNSUPPORTED_TRANSPORT: Status = Status(461);
    /// Our own mistake.
    pub const INTERNAL: Status = Status(500);
    /// A method that there is not.
    pub const NOT_IMPLEMENTED: Status = Status(501);
    /// Full, or going down.
    pub const UNAVAILABLE: Status = Status(503);
    /// Not RTSP 1.0.
    pub const VERSION_NOT_SUPPORTED: Status = Status(505);
    /// A `Require` of what there is not.
    pub const OPTION_NOT_SUPPORTED: Status = Status(551);

    /// The words beside the number.
    pub const fn phrase(self) -> &'static str {
        match self.0 {
            200 => "OK",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            406 => "Not Acceptable",
            408 => "Request Timeout",
            413 => "Request Entity Too Large",
            414 => "Request-URI Too Large",
            415 => "Unsupported Media Type",
            451 => "Parameter Not Understood",
            453 => "Not Enough Bandwidth",
            454 => "Session Not Found",
            455 => "Method Not Valid in This State",
            459 => "Aggregate Operation Not Allowed",
            460 => "Only Aggregate Operation Allowed",
            461 => "Unsupported Transport",
            501 => "Not Implemented",
            503 => "Service Unavailable",
            505 => "RTSP Version Not Supported",
            551 => "Option Not Supported",
            _ => "Internal Server Error",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.phrase())
    }
}
