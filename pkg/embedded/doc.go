// Package embedded runs a Kafka broker and an S3 object store inside this
// process, on loopback ports, durable in a folder: what the command line and
// the tests use where nothing else is installed.
//
// It is for one machine. The broker is a single one, without replicas; the
// store leaves it to the operating system when bytes reach the disk, so a
// finished write survives a kill of the process but not a loss of power.
// Services must not link it.
package embedded
