// Package topics knows how our four topics must be set up, makes those that are missing and checks those
// that exist.
package topics
