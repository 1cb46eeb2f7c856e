package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExpansion(t *testing.T) {
	t.Parallel()
	environ := []string{"NAME=value", "EMPTY=", "NESTED=${NAME}", "LIST=a:1,b:2", "NUMBER=8", "ID=007",
		"SECRET=p: #{[x]}, &y *z !w 'q' \"r\"\nactions: {sale: 9} ${NAME} $${"}

	t.Run("ReplacesVariablesInTexts", func(t *testing.T) {
		t.Parallel()
		for text, want := range map[string]string{
			"'${NAME}'":               "value",
			"${NAME}":                 "value",
			"a-${NAME}-${NAME}-b":     "a-value-value-b",
			"'${OTHER:fallback}'":     "fallback",
			"'${OTHER:}'":             "",
			"'${OTHER:http://h:1/x}'": "http://h:1/x",
			"'${NAME:fallback}'":      "value",
			"'${EMPTY:fallback}'":     "",
			"'${NESTED}'":             "${NAME}",
			"'$${NAME}'":              "${NAME}",
			"'$${${NAME}}'":           "${value}",
			"'$$${NAME}'":             "$${NAME}",
			"'$NAME $ $$ {x} }'":      "$NAME $ $$ {x} }",
			"'$${NAME} and ${NAME}'":  "${NAME} and value",
		} {
			cfg, err := load(t, "kafka:\n  client_id: "+text+"\n", environ...)
			require.NoError(t, err, text)
			require.Equal(t, want, cfg.Kafka.ClientID, text)
		}
	})

	t.Run("KeepsASecretWholeWhateverItHolds", func(t *testing.T) {
		t.Parallel()
		secret := "p: #{[x]}, &y *z !w 'q' \"r\"\nactions: {sale: 9} ${NAME} $${"
		for _, text := range []string{"cj: {signature: '${SECRET}'}", "cj:\n  signature: ${SECRET}\n", "cj:\n  signature: |-\n    ${SECRET}\n"} {
			cfg, err := load(t, text, environ...)
			require.NoError(t, err)
			require.Equal(t, secret, cfg.CJ.Signature.Reveal())
			require.Empty(t, cfg.CJ.Actions)
		}
	})

	t.Run("WorksForEveryTypeOfValue", func(t *testing.T) {
		t.Parallel()
		cfg, err := load(t, "kafka: {brokers: '${LIST}'}\ndelivery: {concurrency: '${NUMBER}', drain: '${NUMBER}s'}\ncj: {enterprise_id: '${ID}', actions: {sale: '${ID}'}, max_query: '${NUMBER}KiB'}\nbreaker: {failure_rate: '0.${NUMBER}'}", environ...)
		require.NoError(t, err)
		require.Equal(t, []string{"a:1", "b:2"}, cfg.Kafka.Brokers)
		require.Equal(t, 8, cfg.Delivery.Concurrency)
		require.Equal(t, "8s", cfg.Delivery.Drain.String())
		require.Equal(t, "007", cfg.CJ.EnterpriseID)
		require.Equal(t, "007", cfg.CJ.Actions["sale"])
		require.Equal(t, 8*KiB, cfg.CJ.MaxQuery)
		require.InDelta(t, 0.8, cfg.Breaker.FailureRate, 0)
	})

	t.Run("LeavesCommentsAlone", func(t *testing.T) {
		t.Parallel()
		_, err := load(t, "# ${MISSING}\nlog: {level: debug} # ${MISSING}\n")
		require.NoError(t, err)
	})

	t.Run("DoesNotReplaceInValuesOfOverrides", func(t *testing.T) {
		t.Parallel()
		cfg, err := load(t, "", "NAME=value", "CJRELAY_ADMIN__TOKEN=${NAME}")
		require.NoError(t, err)
		require.Equal(t, "${NAME}", cfg.Admin.Token.Reveal())
	})

	const next = ": export the variable, give a default as in ${VAR:default}, or write $${ for a plain ${"
	for text, rules := range map[string][]string{
		"${MISSING}":               {"${MISSING} is not set"},
		"${MISSING} ${GONE}":       {"${MISSING} is not set", "${GONE} is not set"},
		"hunter2${NAME":            {"has a ${ without a }"},
		"${}":                      {"has a ${} without the name of a variable"},
		"${hunter2 x}":             {"has a ${} without the name of a variable"},
		"${1X:y}":                  {"has a ${} without the name of a variable"},
		"${NAME:${OTHER}}":         {"the default of ${NAME} cannot hold another variable"},
		"${MISSING}hunter2${GONE}": {"${MISSING} is not set", "${GONE} is not set"},
	} {
		t.Run("Refuses "+text, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, "admin:\n\n  token: '"+text+"'\n", environ...)
			var lines []string
			for _, rule := range rules {
				lines = append(lines, "cjrelay.yaml:3: admin.token: "+rule+next)
			}
			requireProblems(t, err, lines...)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}
