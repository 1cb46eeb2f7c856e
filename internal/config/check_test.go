package config

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// working returns a configuration that every purpose accepts.
func working() Config {
	cfg := Default()
	cfg.Registry.URL = "http://127.0.0.1:8081"
	cfg.CJ.EnterpriseID = "1234567"
	cfg.CJ.Actions = map[string]string{"sale": "398210"}
	cfg.Capture.Upstream = "http://127.0.0.1:3000"
	return cfg
}

var purposes = []Purpose{ForRun, ForReading, ForClicks, ForTopics, ForPreview, ForCapture}

func TestValidate(t *testing.T) {
	t.Parallel()

	t.Run("AcceptsAWorkingConfigurationForEveryPurpose", func(t *testing.T) {
		t.Parallel()
		for _, purpose := range purposes {
			require.NoError(t, working().Validate(purpose))
		}
	})

	t.Run("AsksOnlyForWhatThePurposeNeeds", func(t *testing.T) {
		t.Parallel()
		registry := `registry.url: not set: topics in avro need the schema registry: set it, or set orders.format and clicks.format to what the topics hold`
		enterprise := `cj.enterprise_id: not set: CJ needs your Enterprise ID, its CID parameter: ask CJ's integration engineer; it is not the Company ID that CJ's reports use`
		actions := `cj.actions: not set: at least one action with its action tracker id is needed: write it like {sale: "398210"}; CJ's integration engineer knows the id`
		requireProblems(t, Default().Validate(ForRun), registry, enterprise, actions)
		requireProblems(t, Default().Validate(ForReading), registry)
		requireProblems(t, Default().Validate(ForPreview), enterprise, actions)
		require.NoError(t, Default().Validate(ForTopics))
		clicks := `registry.url: not set: clicks in avro need the schema registry: set it, or set clicks.format to what the topic holds`
		requireProblems(t, Default().Validate(ForClicks), clicks)
		edge := Default()
		edge.Clicks.Format = JSON
		require.NoError(t, edge.Validate(ForClicks), "an edge's file does not say what orders are in")
		requireProblems(t, Default().Validate(ForCapture), clicks,
			`capture.upstream: not set: the edge needs a shop to stand in front of, or proxies that may ask it: set it, or list those proxies in capture.trusted_proxies`)
	})

	t.Run("LetsAnEdgeWithoutAShopServeProxies", func(t *testing.T) {
		t.Parallel()
		cfg := Default()
		cfg.Clicks.Format, cfg.Capture.TrustedProxies = JSON, []string{"10.0.0.7", "fd00::/8"}
		require.NoError(t, cfg.Validate(ForCapture))
		require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32"), netip.MustParsePrefix("fd00::/8")}, cfg.Capture.Proxies())
	})

	t.Run("NeedsTheRegistryWhenOneTopicIsInAvro", func(t *testing.T) {
		t.Parallel()
		for _, test := range []struct {
			orders, clicks string
			needed         bool
		}{{Avro, JSON, true}, {JSON, Avro, true}, {JSON, BareClick, false}, {JSON, JSON, false}} {
			cfg := working()
			cfg.Registry.URL, cfg.Orders.Format, cfg.Clicks.Format = "", test.orders, test.clicks
			require.Equal(t, test.needed, cfg.Validate(ForRun) != nil, test)
		}
	})

	t.Run("ChecksValuesThatAreSetForEveryPurpose", func(t *testing.T) {
		t.Parallel()
		for _, purpose := range purposes {
			cfg := working()
			cfg.Breaker.Probes = 0
			requireProblems(t, cfg.Validate(purpose), "breaker.probes: 0: must be 1 to 100: leave it out for 3")
		}
	})

	t.Run("ReportsAllProblemsAtOnce", func(t *testing.T) {
		t.Parallel()
		cfg := working()
		cfg.Kafka.Brokers = nil
		cfg.CJ.Timeout = 30 * time.Second
		cfg.Log.Level = "loud"
		requireProblems(t, cfg.Validate(ForRun),
			"kafka.brokers: not set: at least one broker is needed: list them as host:port",
			`log.level: "loud": must be debug or info or warn or error: leave it out for info`,
			"cj.timeout: 30s: must be below delivery.drain (20s), or a rebalance cuts off requests that CJ was about to answer: lower it or raise delivery.drain",
			"breaker.window: 60s: must be at least four times cj.timeout (30s), or time-outs are never counted: raise it to 2m or lower cj.timeout",
		)
	})

	t.Run("DoesNotCallMissingTopicsTheSame", func(t *testing.T) {
		t.Parallel()
		cfg := working()
		cfg.Orders.Topic, cfg.Clicks.Topic = "", ""
		var problems *Error
		require.ErrorAs(t, cfg.Validate(ForRun), &problems)
		require.Len(t, problems.Problems, 2)
	})

	t.Run("NamesOnlyKnownKeysAndANextStep", func(t *testing.T) {
		t.Parallel()
		var problems *Error
		require.ErrorAs(t, Config{}.Validate(ForRun), &problems)
		seen := map[string]bool{}
		for _, problem := range problems.Problems {
			require.Equal(t, problem.Key, nearestKey(problem.Key))
			require.NotEmpty(t, problem.Value, problem.Key)
			require.NotEmpty(t, problem.Next, problem.Key)
			seen[problem.Key] = true
		}
		optional := map[string]bool{"kafka.instance_id": true, "orders.start": true, "registry.url": true, "cj.signature": true, "cj.attribute_names": true,
			"cj.default_action": true, "delivery.future_tolerance": true, "delivery.rate": true, "capture.upstream": true, "capture.cookie_domain": true, "capture.session_cookie": true, "capture.session_header": true,
			"capture.consent_cookie": true, "capture.consent_header": true, "capture.consent_pattern": true, "capture.trusted_proxies": true,
			"capture.secret": true, "capture.previous_secret": true, "capture.durable": true, "capture.tls.cert": true, "capture.tls.key": true,
			"admin.token": true}
		for _, k := range leaves {
			require.NotEqual(t, optional[k.path], seen[k.path], k.path)
		}
	})
}

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		set  func(*Config)
		want string
	}{
		"ABrokerWithoutAPort":       {func(c *Config) { c.Kafka.Brokers = []string{"a:9092", "b"} }, `kafka.brokers: "b": must be host:port, without a scheme: write it like broker-1.example.com:9092, one list entry a broker`},
		"ABrokerWithAScheme":        {func(c *Config) { c.Kafka.Brokers = []string{"kafka://b:9092"} }, `kafka.brokers: "kafka://b:9092": must be host:port, without a scheme: write it like broker-1.example.com:9092, one list entry a broker`},
		"ABrokerWithAPortTooHigh":   {func(c *Config) { c.Kafka.Brokers = []string{"b:65536"} }, `kafka.brokers: "b:65536": must be host:port, without a scheme: write it like broker-1.example.com:9092, one list entry a broker`},
		"ABrokerWithAPassword":      {func(c *Config) { c.Kafka.Brokers = []string{"hunter2@b:1"} }, `kafka.brokers: (11 characters, first bad character '@' at position 8): must be host:port, without a scheme: write it like broker-1.example.com:9092, one list entry a broker`},
		"TwoBrokersInOneEntry":      {func(c *Config) { c.Kafka.Brokers = []string{"a:1,b:2"} }, `kafka.brokers: "a:1,b:2": must be host:port, without a scheme: write it like broker-1.example.com:9092, one list entry a broker`},
		"AClientIDWithABlank":       {func(c *Config) { c.Kafka.ClientID = "a b" }, `kafka.client_id: "a b": must be letters, digits, dots, dashes and underscores, at most 249, and not only a dot or two: use a name that Kafka accepts`},
		"AnInstanceIDWithAColon":    {func(c *Config) { c.Kafka.InstanceID = "a:b" }, `kafka.instance_id: "a:b": must be letters, digits, dots, dashes and underscores, at most 249, and not only a dot or two: use a name that Kafka accepts`},
		"ATopicOfDots":              {func(c *Config) { c.Orders.Topic = ".." }, `orders.topic: "..": must be letters, digits, dots, dashes and underscores, at most 249, and not only a dot or two: use a name that Kafka accepts`},
		"ATopicTooLong":             {func(c *Config) { c.Outcomes.Topic = strings.Repeat("a", 250) }, `outcomes.topic: "` + strings.Repeat("a", 48) + `"… (250 characters): must be letters, digits, dots, dashes and underscores, at most 249, and not only a dot or two: use a name that Kafka accepts`},
		"AGroupInLatin1":            {func(c *Config) { c.Orders.Group = "caf\xe9" }, `orders.group: "caf\xe9": must be a name of 1 to 255 bytes in UTF-8: leave it out for cjrelay`},
		"AGroupWithABlankAtItsEnd":  {func(c *Config) { c.Orders.Group = "cjrelay " }, `orders.group: "cjrelay ": must be a name of 1 to 255 bytes without blanks at its ends or control characters: leave it out for cjrelay`},
		"ARegistryWithoutAScheme":   {func(c *Config) { c.Registry.URL = "registry:8081" }, `registry.url: "registry:8081": must be an absolute http or https address: write it like http://registry.example.com:8081`},
		"ARegistryWithAPassword":    {func(c *Config) { c.Registry.URL = "https://user:hunter2@registry" }, `registry.url: "https://…@registry": must not carry a user name or password: they would end up in logs: write it like http://registry.example.com:8081`},
		"ARegistryWithAQuery":       {func(c *Config) { c.Registry.URL = "https://registry/?token=hunter2" }, `registry.url: "https://registry/…": must end before ? and #: write it like http://registry.example.com:8081`},
		"OrdersAsBareClicks":        {func(c *Config) { c.Orders.Format = BareClick }, `orders.format: "string": must be avro or json: leave it out for avro`},
		"ClicksInXML":               {func(c *Config) { c.Clicks.Format = "xml" }, `clicks.format: "xml": must be avro or json or string: leave it out for avro`},
		"AStartWithoutAZone":        {func(c *Config) { c.Orders.Start = "2026-03-27T00:00:00" }, `orders.start: "2026-03-27T00:00:00": must be earliest, latest or a time with a zone: write a time like 2026-03-27T00:00:00Z`},
		"AStartInAnotherWord":       {func(c *Config) { c.Orders.Start = "newest" }, `orders.start: "newest": must be earliest, latest or a time with a zone: write a time like 2026-03-27T00:00:00Z`},
		"APartitionAboveTheProcess": {func(c *Config) { c.Orders.MaxPending = 1000 }, `orders.max_pending_per_partition: 2000: must not exceed orders.max_pending (1000): lower it or raise orders.max_pending`},
		"NoRoomForOneOrder":         {func(c *Config) { c.Orders.MaxPendingBytes, c.Orders.MaxOrderBytes = MiB, 2*MiB }, `orders.max_pending_bytes: 1MiB: must hold at least one order of orders.max_order_bytes (2MiB): raise it or lower orders.max_order_bytes`},
		"NoRoomForTheWorkers":       {func(c *Config) { c.Orders.MaxPending, c.Orders.MaxPendingPerPartition = 63, 63 }, `orders.max_pending: 63: must not be below delivery.concurrency (64), or workers stay idle: raise it or lower delivery.concurrency`},
		"AnUnknownJoin":             {func(c *Config) { c.Clicks.Join = "none" }, `clicks.join: "none": must be global or copartitioned: leave it out for global`},
		"AnUnknownPartitioner":      {func(c *Config) { c.Clicks.Partitioner = "fnv1a" }, `clicks.partitioner: "fnv1a": must be murmur2 or crc32: leave it out for murmur2`},
		"TooLittleClickMemory":      {func(c *Config) { c.Clicks.Memory = MiB }, `clicks.memory: 1MiB: must be 32MiB to 64GiB: leave it out for 256MiB`},
		"NoDirectory":               {func(c *Config) { c.Clicks.Dir = " " }, `clicks.dir: not set: a directory is needed: leave it out for ./data`},
		"OneTopicForTwo":            {func(c *Config) { c.DeadLetter.Topic = "order.confirmed" }, `dead_letter.topic: "order.confirmed": is already orders.topic: give each of the four topics its own name`},
		"APlainEndpoint":            {func(c *Config) { c.CJ.Endpoint = "http://www.emjcd.com/u" }, `cj.endpoint: "http://www.emjcd.com/u": must be https: plain http is allowed to this machine only: leave it out for https://www.emjcd.com/u`},
		"AnEndpointWithABlank":      {func(c *Config) { c.CJ.Endpoint = "https://www.emjcd.com/u " }, `cj.endpoint: "https://www.emjcd.com/u ": must be without blanks: leave it out for https://www.emjcd.com/u`},
		"ARelativeEndpoint":         {func(c *Config) { c.CJ.Endpoint = "www.emjcd.com/u" }, `cj.endpoint: "www.emjcd.com/u": must be an absolute http or https address: leave it out for https://www.emjcd.com/u`},
		"AnEndpointWithASecret":     {func(c *Config) { c.CJ.Endpoint = "https://www.emjcd.com/u?SIGNATURE=hunter2" }, `cj.endpoint: "https://www.emjcd.com/u…": must end before ? and #: leave it out for https://www.emjcd.com/u`},
		"AnEndpointWithABareMark":   {func(c *Config) { c.CJ.Endpoint = "https://www.emjcd.com/u?" }, `cj.endpoint: "https://www.emjcd.com/u…": must end before ? and #: leave it out for https://www.emjcd.com/u`},
		"AnEndpointWithAFragment":   {func(c *Config) { c.CJ.Endpoint = "https://www.emjcd.com/u#" }, `cj.endpoint: "https://www.emjcd.com/u…": must end before ? and #: leave it out for https://www.emjcd.com/u`},
		"APasswordWithAnAtSign":     {func(c *Config) { c.Registry.URL = "https://user:p@hunter2@registry" }, `registry.url: "https://…@registry": must not carry a user name or password: they would end up in logs: write it like http://registry.example.com:8081`},
		"AnEnterpriseIDInWords":     {func(c *Config) { c.CJ.EnterpriseID = "CID 1234567" }, `cj.enterprise_id: "CID 1234567": must be digits only, at most 19: take the Enterprise ID, CJ's CID parameter, not the Company ID of CJ's reports or a name`},
		"AnActionWithABlank":        {func(c *Config) { c.CJ.Actions["new sale"] = "1" }, `cj.actions: "new sale": an action's name must be letters, digits, dots, dashes and underscores, at most 64: use the name that orders carry in their action field`},
		"AnActionOfSixtyFive":       {func(c *Config) { c.CJ.Actions[strings.Repeat("a", 65)] = "1" }, `cj.actions: "` + strings.Repeat("a", 48) + `"… (65 characters): an action's name must be letters, digits, dots, dashes and underscores, at most 64: use the name that orders carry in their action field`},
		"ATrackerTooLong":           {func(c *Config) { c.CJ.Actions["sale"] = strings.Repeat("1", 21) }, `cj.actions.sale: "111111111111111111111": must be an action tracker id, digits only, at most 19: take it from CJ's integration engineer; it is CJ's TYPE parameter`},
		"ATrackerInWords":           {func(c *Config) { c.CJ.Actions["sale"] = "tracker" }, `cj.actions.sale: "tracker": must be an action tracker id, digits only, at most 19: take it from CJ's integration engineer; it is CJ's TYPE parameter`},
		"ADefaultActionInOtherCase": {func(c *Config) { c.CJ.DefaultAction = "Sale" }, `cj.default_action: "Sale": must be one of cj.actions (sale), upper and lower case as there: name one of them, or add it to cj.actions with its action tracker id`},
		"ASignatureWithALineEnd":    {func(c *Config) { c.CJ.Signature = "hunter2\n" }, `cj.signature: (8 characters): has a blank or control character at position 8: copy it again, without blanks and line ends`},
		"AParameterWithABlank":      {func(c *Config) { c.CJ.AttributeNames = map[string]string{"unit": "bus unit"} }, `cj.attribute_names.unit: "bus unit": must be a parameter's name: letters, digits, dots, dashes and underscores, at most 64: take the name from CJ's list of vertical parameters`},
		"AParameterForTwo":          {func(c *Config) { c.CJ.AttributeNames = map[string]string{"a": "brand", "b": "BRAND"} }, `cj.attribute_names.b: "BRAND": is already the name of a: give every attribute its own parameter`},
		"AReservedParameter":        {func(c *Config) { c.CJ.AttributeNames = map[string]string{"unit": "Amt1"} }, `cj.attribute_names.unit: "Amt1": is a parameter that the order's own fields fill; leave it out or give it another name in attribute_names`},
		"AnAttributeTwice":          {func(c *Config) { c.CJ.AttributeNames = map[string]string{"unit": "a", "Unit": "b"} }, `cj.attribute_names.unit: is mapped twice; names are the same in any case`},
		"ASignatureTooLong":         {func(c *Config) { c.CJ.Signature = Secret(strings.Repeat("x", 129)) }, `cj.signature: (129 characters): must be 1 to 128 visible ASCII characters; is there a line break at its end?`},
		"ABackoffThatShrinks":       {func(c *Config) { c.Delivery.BackoffMax = 100 * time.Millisecond }, `delivery.backoff_max: 100ms: must not be below delivery.backoff_initial (500ms): raise it or lower delivery.backoff_initial`},
		"ARateBelowZero":            {func(c *Config) { c.Delivery.Rate = -1 }, `delivery.rate: -1: must be 0.01 to 100000: leave it out for 0`},
		"ARateOfAlmostNothing":      {func(c *Config) { c.Delivery.Rate = 0.001 }, `delivery.rate: 0.001: must be 0.01 to 100000: leave it out for 0`},
		"ATimeoutEqualToTheDrain":   {func(c *Config) { c.Delivery.Drain = 10 * time.Second }, `cj.timeout: 10s: must be below delivery.drain (10s), or a rebalance cuts off requests that CJ was about to answer: lower it or raise delivery.drain`},
		"ADrainEqualToTheGrace":     {func(c *Config) { c.Delivery.Drain = 30 * time.Second }, `delivery.drain: 30s: must be below delivery.shutdown_grace (30s), or a stop ends before the last commit: lower it or raise delivery.shutdown_grace`},
		"ADrainEqualToTheRebalance": {func(c *Config) { c.Kafka.RebalanceTimeout = 20 * time.Second }, `delivery.drain: 20s: must be below kafka.rebalance_timeout (20s), or the group goes on without the last commit: lower it or raise kafka.rebalance_timeout`},
		"AWindowTooShort":           {func(c *Config) { c.Breaker.Window = 40*time.Second - 1 }, `breaker.window: 39.999999999s: must be at least four times cj.timeout (10s), or time-outs are never counted: raise it to 40s or lower cj.timeout`},
		"SamplesOutOfReach":         {func(c *Config) { c.Delivery.Concurrency = 3 }, `breaker.min_samples: 20: must be at most 15 (delivery.concurrency x (breaker.window / cj.timeout - 1)), or it is never reached when every request times out: lower it, or raise delivery.concurrency or breaker.window`},
		"AListenerWithoutAPort":     {func(c *Config) { c.Admin.Listen = "127.0.0.1" }, `admin.listen: "127.0.0.1": must be host:port: leave it out for 127.0.0.1:9644`},
		"AListenerWithANamedPort":   {func(c *Config) { c.Capture.Listen = ":http" }, `capture.listen: ":http": must be host:port: leave it out for 127.0.0.1:8088`},
		"AShortToken":               {func(c *Config) { c.Admin.Token = "hunter2hunter2." }, `admin.token: (15 characters): must be at least 16 characters: use a random one, such as openssl rand -hex 16 prints`},
		"ATokenWithALineEnd":        {func(c *Config) { c.Admin.Token = "hunter2hunter2hunter2\n" }, `admin.token: (22 characters): has a blank, control or non-ASCII character at position 22: copy it again, without blanks and line ends`},
		"AnUnknownLogFormat":        {func(c *Config) { c.Log.Format = "xml" }, `log.format: "xml": must be text or json: leave it out for text`},
		"OnePortForTwo":             {func(c *Config) { c.Capture.AdminListen = c.Capture.Listen }, `capture.admin_listen: "127.0.0.1:8088": is already capture.listen: give health and metrics a port of their own`},
		"AnUpstreamWithoutAScheme":  {func(c *Config) { c.Capture.Upstream = "127.0.0.1:3000" }, `capture.upstream: "127.0.0.1:3000": must be an absolute http or https address: write it like http://127.0.0.1:3000`},
		"ACookieDomainWithoutADot":  {func(c *Config) { c.Capture.CookieDomain = "example.com" }, `capture.cookie_domain: "example.com": must be a domain with a leading dot: write it like .example.com`},
		"ACookieWithASemicolon":     {func(c *Config) { c.Capture.SessionCookie = "sid;" }, `capture.session_cookie: "sid;": must be the name of a cookie: write it like sid`},
		"AnUpstreamThatIsTheEdge":   {func(c *Config) { c.Capture.Upstream = "http://" + c.Capture.Listen + "/shop" }, `capture.upstream: "http://127.0.0.1:8088/shop": is capture.listen, where this edge itself answers: name the shop's own address`},
		"CJsCookieForTheSession":    {func(c *Config) { c.Capture.SessionCookie = "cje" }, `capture.session_cookie: "cje": is a cookie that the edge sets itself: name the cookie in which the shop keeps its session`},
		"AllCookiesForTheSession":   {func(c *Config) { c.Capture.SessionHeader = "cookie" }, `capture.session_header: "cookie": carries all cookies: name the session's cookie in capture.session_cookie`},
		"APublicSuffixForCookies":   {func(c *Config) { c.Capture.CookieDomain = ".co.uk" }, `capture.cookie_domain: ".co.uk": is a public suffix, where strangers have shops, too: write the shop's own domain, like .example.com`},
		"ATopLevelDomainForCookies": {func(c *Config) { c.Capture.CookieDomain = ".com" }, `capture.cookie_domain: ".com": must be a domain with a leading dot: write it like .example.com`},
		"AHeaderWithAColon":         {func(c *Config) { c.Capture.SessionHeader = "X-Id:" }, `capture.session_header: "X-Id:": must be the name of a header: write it like X-Customer-Id`},
		"AConsentNobodyLooksAt":     {func(c *Config) { c.Capture.ConsentPattern = "^yes$" }, `capture.consent_pattern: "^yes$": needs a cookie or a header to look at: set capture.consent_cookie or capture.consent_header`},
		"AConsentWithoutAPattern":   {func(c *Config) { c.Capture.ConsentHeader = "X-Consent" }, `capture.consent_pattern: not set: what a shopper's consent looks like is needed: write it like ^accepted$`},
		"AConsentThatIsNoPattern":   {func(c *Config) { c.Capture.ConsentCookie, c.Capture.ConsentPattern = "c", "(" }, `capture.consent_pattern: "(": must be a regular expression as Go reads it: write it like ^accepted$`},
		"AProxyByName":              {func(c *Config) { c.Capture.TrustedProxies = []string{"::1", "localhost"} }, `capture.trusted_proxies: "localhost": must be an address or a network: write it like 10.0.0.7 or 10.0.0.0/8`},
		"AShortSecret":              {func(c *Config) { c.Capture.Secret = "hunter2" }, `capture.secret: (7 characters): must be at least 16 characters: use a random one, such as openssl rand -hex 16 prints`},
		"OnlyAPreviousSecret":       {func(c *Config) { c.Capture.PreviousSecret = "hunter2hunter2xx" }, `capture.secret: not set: capture.previous_secret needs a secret that follows it: set the new one`},
		"ACertificateWithoutAKey":   {func(c *Config) { c.Capture.TLS.Cert = "cert.pem" }, `capture.tls.key: not set: capture.tls.cert needs its private key: name the file, or remove capture.tls.cert for plain HTTP`},
		"AKeyWithoutACertificate":   {func(c *Config) { c.Capture.TLS.Key = "key.pem" }, `capture.tls.cert: not set: capture.tls.key needs its certificate: name the file, or remove capture.tls.key for plain HTTP`},
		"NoSpoolDirectory":          {func(c *Config) { c.Capture.SpoolDir = "" }, `capture.spool_dir: not set: a directory is needed: leave it out for ./spool`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := working()
			test.set(&cfg)
			err := cfg.Validate(ForRun)
			requireProblems(t, err, test.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestValidateAccepts(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*Config){
		"PlainHTTPToLocalhost":           func(c *Config) { c.CJ.Endpoint = "http://localhost:8080/u" },
		"PlainHTTPToLoopback":            func(c *Config) { c.CJ.Endpoint = "http://127.1.2.3:8080/u" },
		"PlainHTTPToLoopbackInIPv6":      func(c *Config) { c.CJ.Endpoint = "http://[::1]:8080/u" },
		"AnIPv6Broker":                   func(c *Config) { c.Kafka.Brokers = []string{"[::1]:9092"} },
		"EarliestAndLatest":              func(c *Config) { c.Orders.Start = StartLatest },
		"AStartWithAnOffset":             func(c *Config) { c.Orders.Start = "2026-03-27T01:02:03.5+02:00" },
		"AListenerOnEveryInterface":      func(c *Config) { c.Admin.Listen = ":9644" },
		"AListenerOnAnyFreePort":         func(c *Config) { c.Admin.Listen = "127.0.0.1:0" },
		"ATokenOfSixteen":                func(c *Config) { c.Admin.Token = "0123456789abcdef" },
		"AnEnterpriseIDWithLeadingZeros": func(c *Config) { c.CJ.EnterpriseID = "007" },
		"ActionsThatDifferOnlyInCase":    func(c *Config) { c.CJ.Actions["Sale"] = "2" },
		"AWindowOfExactlyFourTimeouts":   func(c *Config) { c.Breaker.Window = 40 * time.Second },
		"NoToleranceForTheFuture":        func(c *Config) { c.Delivery.FutureTolerance = 0 },
		"SamplesJustInReach":             func(c *Config) { c.Delivery.Concurrency, c.Breaker.MinSamples = 3, 15 },
		"ABackoffThatDoesNotGrow":        func(c *Config) { c.Delivery.BackoffMax = c.Delivery.BackoffInitial },
		"RoomForJustOneOrder":            func(c *Config) { c.Orders.MaxOrderBytes = c.Orders.MaxPendingBytes },
		"RoomForJustTheWorkers":          func(c *Config) { c.Orders.MaxPending, c.Orders.MaxPendingPerPartition = 64, 64 },
		"ATrackerOfNineteenDigits":       func(c *Config) { c.CJ.Actions["sale"] = strings.Repeat("1", 19) },
		"AnActionOfSixtyFour":            func(c *Config) { c.CJ.Actions[strings.Repeat("a", 64)] = "1" },
		"AFullEdge": func(c *Config) {
			c.Capture = Capture{
				Listen: ":443", Upstream: "http://shop:3000", CookieDomain: ".example.com", SessionCookie: "sid", SessionHeader: "X-Customer-Id",
				ConsentCookie: "c", ConsentHeader: "X-C", ConsentPattern: "^yes$", TrustedProxies: []string{"10.0.0.0/8"},
				Secret: "0123456789abcdef", PreviousSecret: "fedcba9876543210", Durable: true, ClientRate: 1, ClientBurst: 1,
				SpoolDir: "/var/spool", SpoolMax: 64 * MiB, AdminListen: ":9645", TLS: CaptureTLS{Cert: "cert.pem", Key: "key.pem"},
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := working()
			set(&cfg)
			require.NoError(t, cfg.Validate(ForRun))
		})
	}
}

// TestRanges moves every number to both ends of its documented range and one step beyond.
func TestRanges(t *testing.T) {
	t.Parallel()
	documented := fieldComments(t)
	for _, k := range leaves {
		if kind := k.typ.Kind(); kind != reflect.Int && kind != reflect.Int64 && kind != reflect.Float64 {
			continue
		}
		t.Run(k.path, func(t *testing.T) {
			t.Parallel()
			low, high := documentedRange(t, documented[k.path])
			own := func(value any, step int) bool {
				cfg := working()
				field := reflect.ValueOf(&cfg).Elem().FieldByIndex(k.index)
				switch number := value.(type) {
				case float64:
					field.SetFloat(number + float64(step)*0.001)
				default:
					field.SetInt(reflect.ValueOf(value).Int() + int64(step))
				}
				var problems *Error
				if err := cfg.Validate(ForRun); err != nil {
					require.ErrorAs(t, err, &problems)
					for _, problem := range problems.Problems {
						if problem.Key == k.path && problem.Rule == "must be "+low+" to "+high {
							return false
						}
					}
				}
				return true
			}
			for text, outward := range map[string]int{low: -1, high: +1} {
				value, expected := parse(k, text)
				require.Empty(t, expected)
				require.True(t, own(value, 0), "%s should be in range", text)
				require.False(t, own(value, outward), "beyond %s should be out of range", text)
			}
		})
	}
}
