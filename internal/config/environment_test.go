package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEnvironment(t *testing.T) {
	t.Parallel()

	t.Run("KnowsAVariableForEveryKey", func(t *testing.T) {
		t.Parallel()
		for _, k := range leaves {
			variable, value := variableOf(k), plain(k.value(Default()))
			switch k.typ {
			case mapType:
				variable, value = variable+"__NAME", "1"
			case listType:
				value = "a:1"
			}
			cfg, err := Load("", []string{variable + "=" + value})
			require.NoError(t, err, variable)
			want := k.value(Default())
			switch k.typ {
			case mapType:
				want = map[string]string{"name": "1"}
			case listType:
				want = []string{"a:1"}
			}
			require.Equal(t, want, k.value(cfg), variable)
		}
	})

	t.Run("TakesValuesAsTheyAre", func(t *testing.T) {
		t.Parallel()
		cfg, err := Load("", []string{"CJRELAY_ADMIN__TOKEN= a=b: #c ", "CJRELAY_CJ__ENTERPRISE_ID=007", "CJRELAY_KAFKA__BROKERS=", "CJRELAY_ORDERS__GROUP="})
		require.NoError(t, err)
		require.Equal(t, " a=b: #c ", cfg.Admin.Token.Reveal())
		require.Equal(t, "007", cfg.CJ.EnterpriseID)
		require.Empty(t, cfg.Kafka.Brokers)
		require.Empty(t, cfg.Orders.Group)
	})

	t.Run("FindsTheEntryOfAMapWhateverItsCase", func(t *testing.T) {
		t.Parallel()
		cfg, err := load(t, "cj: {actions: {Sale: 1, newLead: 2}}",
			"CJRELAY_CJ__ACTIONS__SALE=10", "CJRELAY_CJ__ACTIONS__NEWLEAD=20", "CJRELAY_CJ__ACTIONS__SIGN_UP=30", "CJRELAY_CJ__ACTIONS__Trial=40",
			"CJRELAY_CJ__ATTRIBUTE_NAMES__businessUnit=bus_unit")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"Sale": "10", "newLead": "20", "sign_up": "30", "Trial": "40"}, cfg.CJ.Actions)
		require.Equal(t, map[string]string{"businessUnit": "bus_unit"}, cfg.CJ.AttributeNames)
	})

	t.Run("RefusesAnEntryThatCouldBeTwo", func(t *testing.T) {
		t.Parallel()
		_, err := load(t, "cj: {actions: {Sale: 1, sale: 2}}", "CJRELAY_CJ__ACTIONS__SALE=10")
		requireProblems(t, err, "CJRELAY_CJ__ACTIONS__SALE: cj.actions: could mean Sale or sale: write the name in the variable exactly as in the file")
	})

	t.Run("LetsTheFileUseVariablesWithOurPrefix", func(t *testing.T) {
		t.Parallel()
		cfg, err := load(t, "admin: {token: '${CJRELAY_TOKEN}'}", "CJRELAY_TOKEN=0123456789abcdef")
		require.NoError(t, err)
		require.Equal(t, "0123456789abcdef", cfg.Admin.Token.Reveal())
	})

	t.Run("IgnoresTheServiceLinksOfKubernetes", func(t *testing.T) {
		t.Parallel()
		cfg, err := Load("", []string{
			"CJRELAY_SERVICE_HOST=10.0.0.1", "CJRELAY_SERVICE_PORT=9644", "CJRELAY_SERVICE_PORT_HTTP_ADMIN=9644",
			"CJRELAY_PORT=tcp://10.0.0.1:9644", "CJRELAY_PORT_9644_TCP=tcp://10.0.0.1:9644", "CJRELAY_PORT_9644_TCP_PROTO=tcp",
			"CJRELAY_PORT_9644_TCP_PORT=9644", "CJRELAY_PORT_9644_TCP_ADDR=10.0.0.1",
			"CJRELAY_CAPTURE_SERVICE_HOST=10.0.0.2", "CJRELAY_CAPTURE_PORT=udp://10.0.0.2:1",
		})
		require.NoError(t, err)
		require.Equal(t, Default(), cfg)
	})

	const levels = "; two underscores separate levels"
	for variable, want := range map[string]string{
		"CJRELAY_KAFKA_BROKERS=a:1":               "CJRELAY_KAFKA_BROKERS: unknown variable: the nearest known one is CJRELAY_KAFKA__BROKERS" + levels,
		"CJRELAY_kafka__brokers=a:1":              "CJRELAY_kafka__brokers: unknown variable: the nearest known one is CJRELAY_KAFKA__BROKERS" + levels,
		"CJRELAY_ADMIN_PORT=9645":                 "CJRELAY_ADMIN_PORT: unknown variable: the nearest known one is CJRELAY_ADMIN__TOKEN" + levels,
		"CJRELAY_=":                               "CJRELAY_: unknown variable: the nearest known one is CJRELAY_LOG__LEVEL" + levels,
		"CJRELAY_KAFKA=x":                         "CJRELAY_KAFKA: unknown variable: the nearest known one is CJRELAY_KAFKA__BROKERS" + levels,
		"CJRELAY_CJ__ACTIONS=sale":                "CJRELAY_CJ__ACTIONS: cj.actions: sets one entry of the map at a time: use CJRELAY_CJ__ACTIONS__NAME=value",
		"CJRELAY_CJ__ACTIONS__=1":                 "CJRELAY_CJ__ACTIONS__: cj.actions: needs one name after CJRELAY_CJ__ACTIONS__: use CJRELAY_CJ__ACTIONS__NAME=value",
		"CJRELAY_CJ__ACTIONS__A__B=1":             "CJRELAY_CJ__ACTIONS__A__B: cj.actions: needs one name after CJRELAY_CJ__ACTIONS__: use CJRELAY_CJ__ACTIONS__NAME=value",
		"CJRELAY_CJ__TIMEOUT=":                    `CJRELAY_CJ__TIMEOUT: cj.timeout: "": must be a duration: a number with a unit, such as 500ms, 10s, 5m, 12h or 395d: correct the value`,
		"CJRELAY_DELIVERY__CONCURRENCY=x":         `CJRELAY_DELIVERY__CONCURRENCY: delivery.concurrency: "x": must be a whole number, such as 64: correct the value`,
		"CJRELAY_KAFKA__SASL__PASSWORD=hunter2":   "CJRELAY_KAFKA__SASL__PASSWORD: kafka.sasl: SASL authentication at Kafka is not supported yet: remove the key until a release brings it",
		"CJRELAY_KAFKA__TLS=hunter2":              "CJRELAY_KAFKA__TLS: kafka.tls: TLS to Kafka is not supported yet: remove the key until a release brings it",
		"CJRELAY_REGISTRY__PASSWORD=hunter2":      "CJRELAY_REGISTRY__PASSWORD: registry.password: authentication at the registry is not supported yet: remove the key until a release brings it",
		"CJRELAY_CJ__SIGNATUR=hunter2":            "CJRELAY_CJ__SIGNATUR: unknown variable: the nearest known one is CJRELAY_CJ__SIGNATURE" + levels,
		"CJRELAY_CJ__TIMEOUT_SERVICE_HOST=1.2.34": "CJRELAY_CJ__TIMEOUT_SERVICE_HOST: unknown variable: the nearest known one is CJRELAY_CJ__TIMEOUT" + levels,
	} {
		t.Run("Refuses "+variable, func(t *testing.T) {
			t.Parallel()
			_, err := Load("", []string{variable})
			requireProblems(t, err, want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}
