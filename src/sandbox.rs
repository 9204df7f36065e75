//! Both upstream APIs in memory, served over HTTP on loopback ports.
