package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// load writes the text to a file named cjrelay.yaml and loads it. Messages come back without the directory.
func load(t *testing.T, text string, environ ...string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cjrelay.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	cfg, err := Load(path, environ)
	if problems, ok := err.(*Error); ok {
		for i := range problems.Problems {
			problems.Problems[i].Where = strings.TrimPrefix(problems.Problems[i].Where, filepath.Dir(path)+"/")
		}
	}
	return cfg, err
}

func requireProblems(t *testing.T, err error, lines ...string) {
	t.Helper()
	var problems *Error
	require.ErrorAs(t, err, &problems)
	require.Equal(t, strings.Join(lines, "\n"), problems.Error())
}

func TestLoad(t *testing.T) {
	t.Parallel()

	t.Run("GivesTheDefaultsWithoutFileAndEnvironment", func(t *testing.T) {
		t.Parallel()
		cfg, err := Load("", nil)
		require.NoError(t, err)
		require.Equal(t, Default(), cfg)
	})

	t.Run("GivesTheDefaultsForAFileThatSetsNothing", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{"", "# nothing\n", "---\n", "{}", "kafka:\n", "kafka:\n  # brokers: [a:1]\ncj: ~\n", "cj: {timeout: , signature: null}", "kafka: {tls: {}, sasl: }"} {
			cfg, err := load(t, text)
			require.NoError(t, err, text)
			require.Equal(t, Default(), cfg, text)
		}
	})

	t.Run("LaysFileAndThenEnvironmentOverTheDefaults", func(t *testing.T) {
		t.Parallel()
		cfg, err := load(t, `
kafka:    {brokers: [one:9092, two:9092, three:9092], session_timeout: 10s}
orders:   {start: 2026-03-27T00:00:00Z, max_pending_bytes: 1GiB}
cj:       {enterprise_id: "1234567", actions: {sale: "398210", lead: "398211"}}
breaker:  {failure_rate: 0.25}
capture:  {durable: true, trusted_proxies: [10.0.0.0/8], tls: {cert: cert.pem}}
`, "CJRELAY_CAPTURE__TLS__KEY=key.pem", "CJRELAY_CAPTURE__SECRET=0123456789abcdef", "CJRELAY_KAFKA__BROKERS=four:9092, five:9092", "CJRELAY_CJ__ACTIONS__SALE=7", "CJRELAY_CJ__TIMEOUT=3s", "CJRELAY_BREAKER__PROBES=5",
			"CJRELAY_ORDERS__MAX_PENDING=9000", "CJRELAY_CLICKS__WINDOW=30d", "HOME=/root", "no equals sign")
		require.NoError(t, err)
		want := Default()
		want.Kafka.Brokers = []string{"four:9092", "five:9092"}
		want.Kafka.SessionTimeout = 10 * time.Second
		want.Orders.Start = "2026-03-27T00:00:00Z"
		want.Orders.MaxPendingBytes = GiB
		want.Orders.MaxPending = 9000
		want.Clicks.Window = 30 * day
		want.Capture.Durable, want.Capture.TrustedProxies = true, []string{"10.0.0.0/8"}
		want.Capture.TLS, want.Capture.Secret = CaptureTLS{Cert: "cert.pem", Key: "key.pem"}, "0123456789abcdef"
		want.CJ.EnterpriseID = "1234567"
		want.CJ.Actions = map[string]string{"sale": "7", "lead": "398211"}
		want.CJ.Timeout = 3 * time.Second
		want.Breaker.FailureRate = 0.25
		want.Breaker.Probes = 5
		require.Equal(t, want, cfg)
	})

	t.Run("TakesTheShortFormWithASectionALine", func(t *testing.T) {
		t.Parallel()
		cfg, err := load(t, `
kafka:    {brokers: [127.0.0.1:9092], tls: {}, sasl: {}, session_timeout: 45s}
registry: {url: http://127.0.0.1:8081}
orders:   {topic: order.confirmed, group: cjrelay, format: avro, start: earliest}   # avro | json
clicks:   {topic: cjevent, format: avro, join: global, dir: ./data}
dead_letter: {topic: order.confirmed.dlq}
outcomes: {topic: cjrelay.outcomes}
cj:       {endpoint: https://www.emjcd.com/u, enterprise_id: "1234567", actions: {sale: "398210"}, default_action: sale, timeout: 10s}
capture:  {listen: 127.0.0.1:8088, upstream: http://127.0.0.1:3000, cookie_domain: .example.com, session_cookie: sid, spool_dir: ./spool, admin_listen: 127.0.0.1:9645}
admin:    {listen: 127.0.0.1:9644}
`)
		require.NoError(t, err)
		require.NoError(t, cfg.Validate(ForRun))
		want := working()
		want.Orders.Start = StartEarliest
		want.Capture.Upstream, want.Capture.CookieDomain, want.Capture.SessionCookie = "http://127.0.0.1:3000", ".example.com", "sid"
		require.Equal(t, want, cfg)
	})

	t.Run("ReplacesAListByAShorterOne", func(t *testing.T) {
		t.Parallel()
		for text, want := range map[string][]string{
			"kafka: {brokers: [only:1]}":    {"only:1"},
			"kafka: {brokers: []}":          {},
			"kafka: {brokers: 'a:1, b:2'}":  {"a:1", "b:2"},
			"kafka: {brokers: ''}":          {},
			"kafka:\n  brokers:\n  - x:1\n": {"x:1"},
		} {
			cfg, err := load(t, text)
			require.NoError(t, err, text)
			require.Equal(t, want, cfg.Kafka.Brokers, text)
		}
	})

	t.Run("KeepsTextsExactlyAsWritten", func(t *testing.T) {
		t.Parallel()
		for _, id := range []string{"1234567", "0123", "'0123'", "12345678901234567890", "1e3", "0x1F", "1_000", "yes", "2026-01-01", "1.50"} {
			cfg, err := load(t, "cj: {enterprise_id: "+id+", actions: {Sale: "+id+", sale: 2, 1: 3}, default_action: no}")
			require.NoError(t, err, id)
			want := strings.Trim(id, "'")
			require.Equal(t, want, cfg.CJ.EnterpriseID)
			require.Equal(t, map[string]string{"Sale": want, "sale": "2", "1": "3"}, cfg.CJ.Actions)
			require.Equal(t, "no", cfg.CJ.DefaultAction)
		}
	})

	t.Run("KeepsNamesWithDotsAndUnderscoresInMaps", func(t *testing.T) {
		t.Parallel()
		cfg, err := load(t, "cj: {actions: {eu.sale: 1, a__b: 2, a: 3}}")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"eu.sale": "1", "a__b": "2", "a": "3"}, cfg.CJ.Actions)
	})

	t.Run("ReportsAFileThatCannotBeRead", func(t *testing.T) {
		t.Parallel()
		_, err := Load("nowhere/cjrelay.yaml", nil)
		requireProblems(t, err, "nowhere/cjrelay.yaml: cannot be read: no such file or directory: name a readable file with --config")
	})

	t.Run("ReportsAllProblemsAtOnceInTheOrderOfTheFile", func(t *testing.T) {
		t.Parallel()
		_, err := load(t, "kafka:\n  brokrs: [a]\n  session_timeout: soon\ncj:\n  timeout: 10\n  signature: ${MISSING}\n", "CJRELAY_CJ__TIMOUT=1s")
		requireProblems(t, err,
			"cjrelay.yaml:2: kafka.brokrs: unknown key: the nearest known key is kafka.brokers",
			`cjrelay.yaml:3: kafka.session_timeout: "soon": must be a duration: a number with a unit, such as 500ms, 10s, 5m, 12h or 395d: correct the value`,
			`cjrelay.yaml:5: cj.timeout: "10": must be a duration: a number with a unit, such as 500ms, 10s, 5m, 12h or 395d: correct the value`,
			"cjrelay.yaml:6: cj.signature: ${MISSING} is not set: export the variable, give a default as in ${VAR:default}, or write $${ for a plain ${",
			"CJRELAY_CJ__TIMOUT: unknown variable: the nearest known one is CJRELAY_CJ__TIMEOUT; two underscores separate levels",
		)
	})
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	const (
		quote  = ": put the value in quotes"
		syntax = ": check indentation, quotes and colons there; inside {…} a ${VAR} needs quotes"
	)
	for name, test := range map[string]struct{ text, want string }{
		"TwoLevelsInOneName":               {"cj.timeout: 5s", "cjrelay.yaml:1: cj.timeout: a name with a dot is no key: write each level on a line of its own, indented below the one before"},
		"AMisspeltSection":                 {"kafak: {}", "cjrelay.yaml:1: kafak: unknown key: the nearest known key is kafka"},
		"AKeyOfAnotherSection":             {"brokers: [a:1]", "cjrelay.yaml:1: brokers: unknown key: the nearest known key is kafka.brokers"},
		"AKeyUnderTheWrongSection":         {"cj:\n  drain: 5s", "cjrelay.yaml:2: cj.drain: unknown key: the nearest known key is delivery.drain"},
		"AKeyInTheWrongCase":               {"kafka: {Brokers: [a:1]}", "cjrelay.yaml:1: kafka.Brokers: unknown key: the nearest known key is kafka.brokers"},
		"AnUnknownKeyWithoutAValue":        {"cj: {timout: }", "cjrelay.yaml:1: cj.timout: unknown key: the nearest known key is cj.timeout"},
		"AMergeKey":                        {"cj: {<<: {timeout: 1s}}", "cjrelay.yaml:1: cj.<<: unknown key: the nearest known key is cj"},
		"ARepeatedKey":                     {"cj:\n  timeout: 1s\n  timeout: 2s", "cjrelay.yaml:3: cj.timeout: is already set in line 2: keep one of them"},
		"ARepeatedSection":                 {"cj: {}\nlog: {}\ncj: {}", "cjrelay.yaml:3: cj: is already set in line 1: keep one of them"},
		"ARepeatedAction":                  {"cj: {actions: {sale: 1, 'sale': 2}}", "cjrelay.yaml:1: cj.actions.sale: is already set in line 1: keep one of them"},
		"AWordForANumber":                  {"delivery: {concurrency: many}", `cjrelay.yaml:1: delivery.concurrency: "many": must be a whole number, such as 64: correct the value`},
		"AFractionForAWholeNumber":         {"delivery: {concurrency: 1.5}", `cjrelay.yaml:1: delivery.concurrency: "1.5": must be a whole number, such as 64: correct the value`},
		"AWordForAFraction":                {"breaker: {failure_rate: 50%}", `cjrelay.yaml:1: breaker.failure_rate: "50%": must be a number, such as 0.5: correct the value`},
		"YesForTrue":                       {"capture: {durable: yes}", `cjrelay.yaml:1: capture.durable: "yes": must be true or false: correct the value`},
		"AnUnknownKeyTwoLevelsDown":        {"capture: {tls: {crt: x}}", "cjrelay.yaml:1: capture.tls.crt: unknown key: the nearest known key is capture.tls.cert"},
		"NotANumber":                       {"breaker: {failure_rate: NaN}", `cjrelay.yaml:1: breaker.failure_rate: "NaN": must be a number, such as 0.5: correct the value`},
		"ASizeInMB":                        {"cj: {max_query: 1MB}", `cjrelay.yaml:1: cj.max_query: "1MB": must be a size: a whole number with a unit, such as 512KiB, 64MiB or 1GiB: correct the value`},
		"AListForAText":                    {"orders: {topic: [a]}", "cjrelay.yaml:1: orders.topic: must be a single value, not a list: write one value"},
		"ASectionForAText":                 {"orders: {topic: {a: b}}", "cjrelay.yaml:1: orders.topic: must be a single value, not a section: write one value"},
		"ATextForASection":                 {"kafka: localhost", "cjrelay.yaml:1: kafka: must be a section with keys of its own: write the keys indented below it, such as brokers"},
		"AListForTheFile":                  {"- kafka", "cjrelay.yaml:1: must be a section with keys of its own: write the keys indented below it, such as kafka"},
		"ATextForAMap":                     {"cj: {actions: sale}", "cjrelay.yaml:1: cj.actions: must be a map of names to values: write it like {name: value}"},
		"AnActionWithoutATracker":          {"cj: {actions: {sale: }}", "cjrelay.yaml:1: cj.actions.sale: must be a single value, not nothing: write one value"},
		"AListInAList":                     {"kafka: {brokers: [[a]]}", "cjrelay.yaml:1: kafka.brokers[0]: must be a single value, not a list: write one value"},
		"ANamelessKey":                     {"cj: {actions: {'': 1}}", "cjrelay.yaml:1: cj.actions: has a key that is not a name: write keys as plain words"},
		"AnAnchoredKey":                    {"cj:\n  &a timeout: 1s", "cjrelay.yaml:2: cj: starts with &, * or !, which YAML takes for an anchor, alias or tag" + quote},
		"AKeyOfTwoLines":                   {"cj: {actions: {\"a\\nb\": 1}}", "cjrelay.yaml:1: cj.actions: has a key that is not a name: write keys as plain words"},
		"AListAsAKey":                      {"cj: {[a]: 1}", "cjrelay.yaml:1: cj: has a key that is not a name: write keys as plain words"},
		"ASecondDocument":                  {"log: {}\n---\ncj: {}", "cjrelay.yaml:2: a second YAML document would be ignored: keep one document in the file"},
		"BrokenYAML":                       {"cj:\n  a: b: c", "cjrelay.yaml:2: is not valid YAML: mapping values are not allowed in this context" + syntax},
		"AnUnquotedVariableInBraces":       {"cj: {signature: ${X}}", "cjrelay.yaml: is not valid YAML: did not find expected ',' or '}'" + syntax},
		"BrokenYAMLInASecondDocument":      {"cj: {}\n---\n  a: b: c", "cjrelay.yaml:3: is not valid YAML: mapping values are not allowed in this context" + syntax},
		"ASecretThatYAMLTakesForAnAlias":   {"admin:\n  token: *hunter2hunter2", "cjrelay.yaml: a value starts with *, which YAML takes for an alias" + quote},
		"ASecretThatYAMLTakesForAnAnchor":  {"admin: {token: &hunter2hunter2 }", "cjrelay.yaml:1: admin.token: starts with &, * or !, which YAML takes for an anchor, alias or tag" + quote},
		"ASecretThatYAMLTakesForATag":      {"admin: {token: !hunter2hunter2 }", "cjrelay.yaml:1: admin.token: starts with &, * or !, which YAML takes for an anchor, alias or tag" + quote},
		"AnAliasInAMap":                    {"cj: {default_action: &a b, actions: {sale: *a}}", "cjrelay.yaml:1: cj.default_action: starts with &, * or !, which YAML takes for an anchor, alias or tag" + quote + "\ncjrelay.yaml:1: cj.actions.sale: starts with &, * or !, which YAML takes for an anchor, alias or tag" + quote},
		"TLS":                              {"kafka: {tls: {ca: x}}", "cjrelay.yaml:1: kafka.tls: TLS to Kafka is not supported yet: remove the key until a release brings it"},
		"TLSAsAWord":                       {"kafka: {tls: true}", "cjrelay.yaml:1: kafka.tls: TLS to Kafka is not supported yet: remove the key until a release brings it"},
		"SASL":                             {"kafka:\n  sasl:\n    password: hunter2", "cjrelay.yaml:2: kafka.sasl: SASL authentication at Kafka is not supported yet: remove the key until a release brings it"},
		"AUserAtTheRegistry":               {"registry: {username: u}", "cjrelay.yaml:1: registry.username: authentication at the registry is not supported yet: remove the key until a release brings it"},
		"APasswordAtTheRegistry":           {"registry: {password: hunter2}", "cjrelay.yaml:1: registry.password: authentication at the registry is not supported yet: remove the key until a release brings it"},
		"ABearerTokenAtTheRegistry":        {"registry: {bearer: hunter2}", "cjrelay.yaml:1: registry.bearer: authentication at the registry is not supported yet: remove the key until a release brings it"},
		"AnEMailAddressInANumberUnseen":    {"delivery: {concurrency: jane@example.com}", `cjrelay.yaml:1: delivery.concurrency: (16 characters, first bad character '@' at position 5): must be a whole number, such as 64: correct the value`},
		"ADurationThatDoesNotFit":          {"clicks: {window: 999999d}", `cjrelay.yaml:1: clicks.window: "999999d": must be a duration: a number with a unit, such as 500ms, 10s, 5m, 12h or 395d: correct the value`},
		"AListForASecretWithoutShowingIt":  {"cj: {signature: [hunter2]}", "cjrelay.yaml:1: cj.signature: must be a single value, not a list: write one value"},
		"ATextForTheFileWithoutShowingIt":  {"hunter2", "cjrelay.yaml:1: must be a section with keys of its own: write the keys indented below it, such as kafka"},
		"AWholeFileThatIsAnchored":         {"&a {}", "cjrelay.yaml:1: starts with &, * or !, which YAML takes for an anchor, alias or tag" + quote},
		"AKeyWithAControlCharacterInItsID": {"\x01: 1", "cjrelay.yaml: is not valid YAML: control characters are not allowed" + syntax},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := load(t, test.text)
			requireProblems(t, err, strings.Split(test.want, "\n")...)
			require.Equal(t, Config{}, cfg)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("cj: {actions: {sale: 1}, timeout: 395d}", "a:1,b:2")
	f.Add("kafka: &a {brokers: [*a, ${X:y}]}\n---\n", "")
	f.Add("? [a]\n: !x {<<: *y}", "${")
	path := filepath.Join(f.TempDir(), "cjrelay.yaml")
	f.Fuzz(func(t *testing.T, text, variable string) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		cfg, err := Load(path, []string{"X=" + variable, "CJRELAY_KAFKA__BROKERS=" + variable})
		if err == nil {
			_ = cfg.Validate(ForRun)
			_, err = cfg.YAML()
			require.NoError(t, err)
			return
		}
		var problems *Error
		require.ErrorAs(t, err, &problems)
	})
}
