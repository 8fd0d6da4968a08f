//! What the program says about itself: metrics in Prometheus' text form, and the server's bounded log.
