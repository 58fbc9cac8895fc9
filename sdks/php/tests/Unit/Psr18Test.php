<?php

declare(strict_types=1);

namespace InnoAI\Tests\Unit;

use GuzzleHttp\Client as Guzzle;
use GuzzleHttp\Psr7\HttpFactory;
use InnoAI\Client;
use InnoAI\Exception\APIConnectionError;
use InnoAI\Exception\InvalidApiKey;
use InnoAI\Tests\Support\ScriptedServer;

/** A PSR-18 client of the application's in place of curl: Guzzle, as it is installed. */
final class Psr18Test extends ScriptedTestCase
{
    protected function setUp(): void
    {
        if (!class_exists(Guzzle::class)) {
            self::markTestSkipped('guzzlehttp/guzzle is not installed');
        }
    }

    public function testItSendsWhatCurlSends(): void
    {
        self::script([
            'GET /v1/auth/validate' => [['json' => self::VALID]],
            'POST /v1/customers' => [['status' => 201, 'json' => ['id' => 'cus_1', 'name' => 'Åsa']]],
        ]);
        $client = self::guzzled();
        self::assertSame('startup', $client->auth->validate()->tier);
        $options = ['idempotency_key' => 'once'];
        self::assertSame('Åsa', $client->customers->create(['customer_id' => 'a', 'name' => 'Åsa'], $options)->name);
        [$get, $post] = self::seen();
        self::client()->auth->validate();
        self::client()->customers->create(['customer_id' => 'a', 'name' => 'Åsa'], $options);
        [, , $curlGet, $curlPost] = self::seen();
        foreach ([[$curlGet, $get], [$curlPost, $post]] as [$expected, $sent]) {
            ksort($expected['headers']);
            ksort($sent['headers']);
            unset($expected['at'], $sent['at']);
            self::assertSame($expected, $sent);
        }
    }

    public function testAStreamIsReadAsItComes(): void
    {
        $event = 'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hello"}}]}' . "\n\n";
        self::script(['POST /v1/chat/completions' => [[
            'headers' => ['content-type' => 'text/event-stream'],
            'text' => "{$event}{$event}data: [DONE]\n\n",
            'split' => 30,
        ]]]);
        $client = self::guzzled(['stream' => true]);
        self::assertSame('HelloHello', $client->chat->completions->stream(self::CHAT)->text());
    }

    public function testRefusalsAreTypedAndRepetitionsFollowTheSameRules(): void
    {
        self::script(['GET /v1/auth/validate' => [
            self::refusal(503, 'service_unavailable'),
            self::refusal(401, 'invalid_api_key'),
        ]]);
        try {
            self::guzzled()->auth->validate();
            self::fail('It was answered well.');
        } catch (InvalidApiKey $refusal) {
            self::assertSame('req_1', $refusal->request_id);
        }
        self::assertCount(2, self::seen());
        self::script(['POST /v1/chat/completions' => [['close' => 'before']]]);
        try {
            self::guzzled()->chat->completions->create(self::CHAT);
            self::fail('It was answered.');
        } catch (APIConnectionError) {
            self::assertCount(1, self::seen());
        }
    }

    public function testItsExceptionsWhichHoldTheRequestAreNotChained(): void
    {
        $client = self::guzzled([], ['base_url' => 'http://127.0.0.1:1/v1', 'max_retries' => 0]);
        try {
            $client->auth->validate();
            self::fail('Somebody listens at port 1.');
        } catch (APIConnectionError $problem) {
            self::assertNull($problem->getPrevious());
            self::assertStringContainsString('GuzzleHttp', $problem->getMessage());
            self::assertStringNotContainsString('not-to-be-shown', (string) $problem);
        }
    }

    public function testFactoriesMayBeGiven(): void
    {
        self::script(['GET /v1/auth/validate' => [['json' => self::VALID]]]);
        $factory = new HttpFactory();
        $client = self::client([
            'http_client' => new Guzzle(['proxy' => '']),
            'request_factory' => $factory,
            'stream_factory' => $factory,
        ]);
        self::assertTrue($client->auth->validate()->valid);
    }

    /**
     * @param array<string, mixed> $ofGuzzle
     * @param array<string, mixed> $options
     */
    private static function guzzled(array $ofGuzzle = [], array $options = []): Client
    {
        return new Client([
            'api_key' => self::KEY,
            'base_url' => ScriptedServer::shared()->baseUrl,
            'http_client' => new Guzzle($ofGuzzle),
            ...$options,
        ]);
    }
}
