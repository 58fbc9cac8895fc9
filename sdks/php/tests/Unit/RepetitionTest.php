<?php

declare(strict_types=1);

namespace InnoAI\Tests\Unit;

use InnoAI\Client;
use InnoAI\Exception\APIConnectionError;
use InnoAI\Exception\APIError;
use InnoAI\Exception\APITimeoutError;
use InnoAI\Http\Body;
use InnoAI\Http\Response;
use InnoAI\Internal\Backoff;
use PHPUnit\Framework\Attributes\DataProvider;

/** Nothing is done twice: what the vectors of retries do not tell. */
final class RepetitionTest extends ScriptedTestCase
{
    /**
     * @dataProvider calls
     * @param array<string, mixed> $answer
     */
    #[DataProvider('calls')]
    public function testACallThatFailsFirstIsSentSoOften(callable $call, string $route, array $answer, int $count): void
    {
        $well = $route === 'POST /v1/chat/completions' ? self::COMPLETION : ['id' => 'key_1'];
        self::script([$route => [$answer, ['json' => $well]]]);
        try {
            $call(self::client(['timeout' => 1]));
            self::assertSame(2, $count);
        } catch (APIError) {
            self::assertSame(1, $count);
        }
        self::assertCount($count, self::seen());
    }

    /** @return array<string, array{callable, string, array<string, mixed>, int}> */
    public static function calls(): array
    {
        $chat = static fn (Client $client) => $client->chat->completions->create(self::CHAT);
        $stream = static fn (Client $client) => $client->chat->completions->stream(self::CHAT);
        $keyed = static fn (Client $client) => $client->chat->completions->create(
            self::CHAT,
            ['idempotency_key' => 'my-own'],
        );
        $update = static fn (Client $client) => $client->keys->update('key_1', ['name' => 'a']);
        $get = static fn (Client $client) => $client->keys->get('key_1');
        $route = 'POST /v1/chat/completions';
        $patch = 'PATCH /v1/keys/key_1';
        $closed = ['close' => 'before'];
        $half = ['json' => self::COMPLETION, 'close' => 'within'];
        $silent = ['json' => self::COMPLETION, 'delay' => 1.3];
        return [
            'chat, closed' => [$chat, $route, $closed, 1],
            'chat, half an answer' => [$chat, $route, $half, 1],
            'chat, silence' => [$chat, $route, $silent, 1],
            'chat, 500' => [$chat, $route, self::refusal(500, 'internal_error'), 1],
            'chat, 502' => [$chat, $route, self::refusal(502, 'upstream_error'), 1],
            'chat, 503' => [$chat, $route, self::refusal(503, 'service_unavailable'), 2],
            'chat, 429' => [$chat, $route, self::refusal(429, 'rate_limit_exceeded'), 2],
            'stream, closed' => [$stream, $route, $closed, 1],
            'stream, 503' => [$stream, $route, self::refusal(503, 'service_unavailable'), 2],
            'chat with a key, closed' => [$keyed, $route, $closed, 2],
            'chat with a key, 500' => [$keyed, $route, self::refusal(500, 'internal_error'), 2],
            'change, closed' => [$update, $patch, $closed, 1],
            'change, 500' => [$update, $patch, self::refusal(500, 'internal_error'), 1],
            'change, 503' => [$update, $patch, self::refusal(503, 'service_unavailable'), 2],
            'get, half an answer' => [$get, 'GET /v1/keys/key_1', $half, 2],
            'get, silence' => [$get, 'GET /v1/keys/key_1', $silent, 2],
        ];
    }

    public function testAKeptConnectionThatBreaksDoesNotMakeCurlRepeatAConversation(): void
    {
        self::script([
            'GET /v1/auth/validate' => [['json' => self::VALID]],
            'POST /v1/chat/completions' => [['close' => 'before']],
        ]);
        $client = self::client();
        $client->auth->validate();
        $problem = null;
        try {
            $client->chat->completions->create(self::CHAT);
        } catch (APIConnectionError $problem) {
        }
        self::assertStringContainsString('kept connection', (string) $problem?->getMessage());
        self::assertCount(2, self::seen());
    }

    public function testAnyOtherPostWithoutABodyIsNotRepeatedEither(): void
    {
        self::script([
            'GET /v1/auth/validate' => [['json' => self::VALID]],
            'POST /v1/anything' => [['close' => 'before']],
        ]);
        $client = self::client();
        $client->auth->validate();
        $this->expectException(APIConnectionError::class);
        try {
            $client->request('POST', '/anything');
        } finally {
            self::assertCount(2, self::seen());
        }
    }

    public function testSilenceIsAnErrorOfItsOwn(): void
    {
        self::script(['POST /v1/chat/completions' => [['json' => self::COMPLETION, 'delay' => 0.5]]]);
        $this->expectException(APITimeoutError::class);
        $this->expectExceptionMessage('silent for 0.1 seconds');
        self::client()->chat->completions->create(self::CHAT, ['timeout' => 0.1]);
    }

    public function testARefusalOfTheConnectionIsTriedAgainAsNothingWasSent(): void
    {
        $began = microtime(true);
        $client = self::client(['base_url' => 'http://127.0.0.1:1/v1', 'max_retries' => 1]);
        try {
            $client->chat->completions->create(self::CHAT);
            self::fail('Somebody listens at port 1.');
        } catch (APIConnectionError) {
            self::assertGreaterThan(0.37, microtime(true) - $began);
        }
    }

    public function testEachCallThatMakesSomethingHasAnIdempotencyKeyOfItsOwn(): void
    {
        $made = ['json' => ['id' => 'x', 'count' => 0]];
        self::script([
            'POST /v1/keys' => [$made],
            'POST /v1/keys/key_1/rotate' => [$made],
            'POST /v1/customers' => [$made],
            'POST /v1/members' => [$made],
            'POST /v1/webhooks' => [$made],
            'POST /v1/webhooks/whe_1/rotate-secret' => [$made],
            'POST /v1/webhooks/whe_1/test' => [$made],
            'POST /v1/webhooks/whe_1/replay' => [$made],
            'POST /v1/webhooks/deliveries/dlv_1/replay' => [$made],
        ]);
        $client = self::client();
        $client->keys->create(['name' => 'a']);
        $client->keys->create(['name' => 'a']);
        $client->keys->rotate('key_1');
        $client->customers->create(['customer_id' => 'a']);
        $client->members->create(['email' => 'a']);
        $client->webhooks->create(['url' => 'a']);
        $client->webhooks->rotateSecret('whe_1');
        $client->webhooks->test('whe_1');
        $client->webhooks->replay('whe_1', '2026-11-01T00:00:00Z');
        $client->webhooks->replayDelivery('dlv_1');
        $keys = array_map(static fn (array $request) => $request['headers']['idempotency-key'] ?? '', self::seen());
        self::assertCount(10, array_unique($keys));
        foreach ($keys as $key) {
            self::assertMatchesRegularExpression('/\A[0-9a-f]{8}-[0-9a-f]{4}-4\w{3}-[89ab]\w{3}-[0-9a-f]{12}\z/', $key);
        }
    }

    public function testADateToComeIsWaitedFor(): void
    {
        $date = gmdate('D, d M Y H:i:s \G\M\T', time() + 30);
        $response = new Response(503, ['retry-after' => $date], $this->createStub(Body::class));
        self::assertEqualsWithDelta(30, Backoff::pause(0, $response), 1);
        $date = gmdate('D, d M Y H:i:s \G\M\T', time() + 3600);
        $response = new Response(503, ['retry-after' => $date], $this->createStub(Body::class));
        self::assertFalse(Backoff::repeats($response, true));
    }
}
