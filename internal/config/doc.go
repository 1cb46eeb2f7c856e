// Package config reads the one configuration of every verb: defaults, over them a YAML file, over that
// CJRELAY_ environment variables; and it checks the result.
//
// Two steps report problems, each all of its problems at once. Load reports what cannot be read: an unknown
// key, a value of the wrong type, a variable that is not set. Config.Validate reports what can be read but
// would not work. Both return *Error, whose lines are ready to print.
package config
