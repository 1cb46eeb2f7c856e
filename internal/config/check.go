package config

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cjrelay/cjrelay/schema"
)

// Purpose is what a configuration is about to be used for. Values that are set are always checked; the
// purpose decides which may not be missing.
type Purpose uint8

// The purposes, with the verbs that they stand for.
const (
	// ForRun needs everything that reads orders and sends them: run, lint, dry-run, replay, redriving.
	ForRun Purpose = iota
	// ForReading needs what decodes orders and clicks, and no account at CJ: dlq.
	ForReading
	// ForClicks needs what decodes clicks, and may be an edge's configuration: clicks get.
	ForClicks
	// ForTopics needs the cluster and the topics' names: topics, status, explain, clicks forget.
	ForTopics
	// ForPreview needs the account at CJ and nothing of Kafka: preview, qa.
	ForPreview
	// ForCapture needs a shop or proxies that ask, and what encodes clicks; no Kafka that is up, and no account.
	ForCapture
)

// Validate checks every value and every rule between values, and that nothing is missing for the purpose.
// It returns nil or an *Error with all problems, in the order of the keys in Config, rules between
// sections last.
func (cfg Config) Validate(purpose Purpose) error {
	c := &checker{}
	cfg.Kafka.check(c)
	cfg.Registry.check(c)
	cfg.Orders.check(c)
	cfg.Clicks.check(c)
	cfg.CJ.check(c)
	cfg.Delivery.check(c)
	cfg.Breaker.check(c)
	cfg.Capture.check(c)
	cfg.Admin.check(c)
	cfg.Log.check(c)
	cfg.checkTopics(c)
	cfg.checkTimes(c)
	cfg.checkRoom(c)
	cfg.checkPurpose(c, purpose)
	return failure(c.problems)
}

func (cfg Config) checkPurpose(c *checker, purpose Purpose) {
	if purpose == ForRun || purpose == ForReading {
		if cfg.Registry.URL == "" && (cfg.Orders.Format == Avro || cfg.Clicks.Format == Avro) {
			c.missing("registry.url", "topics in avro need the schema registry",
				"set it, or set orders.format and clicks.format to what the topics hold")
		}
	}
	if (purpose == ForClicks || purpose == ForCapture) && cfg.Registry.URL == "" && cfg.Clicks.Format == Avro {
		c.missing("registry.url", "clicks in avro need the schema registry", "set it, or set clicks.format to what the topic holds")
	}
	if purpose == ForCapture {
		cfg.checkEdge(c)
	}
	if purpose == ForRun || purpose == ForPreview {
		if cfg.CJ.EnterpriseID == "" {
			c.missing("cj.enterprise_id", "CJ needs your Enterprise ID, its CID parameter",
				"ask CJ's integration engineer; it is not the Company ID that CJ's reports use")
		}
		if len(cfg.CJ.Actions) == 0 {
			c.missing("cj.actions", "at least one action with its action tracker id is needed",
				"write it like {sale: \"398210\"}; CJ's integration engineer knows the id")
		}
		if len(c.problems) == 0 {
			cfg.CJ.checkAccount(c)
		}
	}
}

// checker collects problems.
type checker struct{ problems []Problem }

func (c *checker) add(key, value, rule, next string) {
	c.problems = append(c.problems, Problem{Key: key, Value: value, Rule: rule, Next: next})
}

func (c *checker) missing(key, rule, next string) { c.add(key, "not set", rule, next) }

func (c *checker) defaultText(key string) string { return plain(Default().at(key)) }

func (c *checker) oneOf(key, value string, allowed ...string) {
	for _, word := range allowed {
		if value == word {
			return
		}
	}
	c.add(key, shown(value), "must be "+strings.Join(allowed, " or "), "leave it out for "+c.defaultText(key))
}

// kafkaName checks topic names, and the other names to which brokers apply the same rule
// (org.apache.kafka.common.internals.Topic.validate; for group.instance.id JoinGroupRequest).
func (c *checker) kafkaName(key, name string) {
	if len(name) > 249 || name == "." || name == ".." || !isKafkaName(name) {
		c.add(key, shown(name), "must be letters, digits, dots, dashes and underscores, at most 249, and not only a dot or two",
			"use a name that Kafka accepts")
	}
}

// group accepts what brokers accept, any text, but no blanks at its ends and no control characters: such a
// name is a slip, and it would start a new group.
func (c *checker) group(key, name string) {
	if !utf8.ValidString(name) { // from a variable; outcomes, which name the group, are JSON
		c.add(key, shown(name), "must be a name of 1 to 255 bytes in UTF-8", "leave it out for "+c.defaultText(key))
		return
	}
	if name == "" || len(name) > 255 || strings.TrimSpace(name) != name || strings.ContainsFunc(name, unicode.IsControl) {
		c.add(key, shown(name), "must be a name of 1 to 255 bytes without blanks at its ends or control characters",
			"leave it out for "+c.defaultText(key))
	}
}

// within checks a range, both ends included. A number that is not a number is never within.
func within[T cmp.Ordered](c *checker, key string, value, low, high T) {
	if value >= low && value <= high {
		return
	}
	c.add(key, shown(value), "must be "+shown(low)+" to "+shown(high), "leave it out for "+c.defaultText(key))
}

func isKafkaName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
	})
}

// shown writes a value that is not secret as a message shows it.
func shown(value any) string {
	switch value := value.(type) {
	case string:
		return schema.Quoted(value)
	case time.Duration:
		return durationText(value)
	default:
		return fmt.Sprint(value)
	}
}
