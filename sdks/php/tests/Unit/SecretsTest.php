<?php

declare(strict_types=1);

namespace InnoAI\Tests\Unit;

use InnoAI\Secret;
use InnoAI\Tests\Support\Script;
use InnoAI\Tests\Support\ScriptedServer;
use PHPUnit\Framework\Attributes\DataProvider;

/** Nothing that an application may dump, log or store shows a secret. */
final class SecretsTest extends ScriptedTestCase
{
    private const PAIR = [
        'access_token' => 'access-not-to-be-shown',
        'token_type' => 'Bearer',
        'expires_in' => 3600,
        'refresh_token' => 'refresh-not-to-be-shown',
    ];
    private const NEW_KEY = ['id' => 'key_1', 'last4' => 'wxyz', 'key' => 'sk-inno-once-not-to-be-shown'];
    private const ENDPOINT = ['id' => 'whe_1', 'url' => 'https://example.com', 'secret' => 'whsec-not-to-be-shown'];
    private const MEMBER = ['id' => 'mem_1', 'role' => 'viewer', 'invite_url' => 'https://example.com/not-to-be-shown'];

    public function testClientsAndTheirPartsDoNotShowKeyOrToken(): void
    {
        self::script([
            'POST /v1/auth/token' => [['json' => self::PAIR]],
            'GET /v1/auth/validate' => [['json' => self::VALID]],
        ]);
        $headers = ['X-Api-Key' => 'header-not-to-be-shown'];
        $client = self::client(['customer_id' => 'customer-123', 'default_headers' => $headers]);
        $client->auth->validate();
        self::assertSame('Bearer ' . self::PAIR['access_token'], self::seen()[1]['headers']['authorization']);
        self::assertSame('header-not-to-be-shown', self::seen()[1]['headers']['x-api-key']);
        self::assertSilent($client, $client->auth, $client->keys, $client->chat, (array) $client, [$client]);
        self::assertStringContainsString('customer-123', print_r($client, true));
    }

    public function testAnswersShowTheirSecretsByNameAlone(): void
    {
        self::script([
            'POST /v1/auth/token' => [['json' => self::PAIR]],
            'POST /v1/keys' => [['status' => 201, 'json' => self::NEW_KEY]],
            'GET /v1/keys' => [['json' => ['data' => [self::NEW_KEY], 'next_cursor' => null]]],
            'POST /v1/webhooks' => [['status' => 201, 'json' => self::ENDPOINT]],
            'POST /v1/members' => [['status' => 201, 'json' => self::MEMBER]],
        ]);
        $client = self::client();
        $token = $client->auth->token();
        $key = $client->keys->create(['name' => 'V2']);
        $page = $client->keys->list();
        $endpoint = $client->webhooks->create(['url' => 'https://example.com']);
        $member = $client->members->create(['email' => 'ana@example.com']);
        self::assertSame(self::PAIR['access_token'], $token->access_token);
        self::assertSame(self::PAIR['refresh_token'], $token->refresh_token);
        self::assertSame([self::NEW_KEY['key'], true], [$key->key, isset($key->key)]);
        self::assertSame(self::ENDPOINT['secret'], $endpoint->secret);
        self::assertSame(self::MEMBER['invite_url'], $member->invite_url);
        self::assertSilent($token, $key, $page, $endpoint, $member, (array) $key, $key->toArray());
        self::assertStringContainsString('wxyz', json_encode($key, JSON_THROW_ON_ERROR));
        self::assertStringContainsString(Secret::HIDDEN, print_r($key, true));
        $restored = unserialize(serialize($key));
        self::assertSame(['wxyz', null], [$restored->last4, $restored->key]);
    }

    public function testAKeyMayBePassedOnAsASecret(): void
    {
        self::script(['GET /v1/auth/validate' => [['json' => self::VALID]]]);
        $client = self::client(['api_key' => new Secret(self::KEY)]);
        self::assertTrue($client->auth->validate()->valid);
        self::assertSame('Bearer ' . self::KEY, self::seen()[0]['headers']['authorization']);
    }

    /** @dataProvider dead */
    #[DataProvider('dead')]
    public function testWhatHoldsACredentialRefusesToBeSerialized(callable $make): void
    {
        $this->expectException(\LogicException::class);
        serialize($make());
    }

    /** @return array<string, array{callable(): object}> */
    public static function dead(): array
    {
        $page = static function (): object {
            self::script(['GET /v1/keys' => [['json' => ['data' => []]]]]);
            return self::client()->keys->list();
        };
        return [
            'a client' => [static fn () => self::client()],
            'a secret' => [static fn () => new Secret('x')],
            'what holds a client' => [static fn () => (object) ['client' => self::client()]],
            'a page' => [$page],
            'a resource' => [static fn () => self::client()->keys],
        ];
    }

    /**
     * @dataProvider failures
     * @param array<string, list<array<string, mixed>>> $script
     */
    #[DataProvider('failures')]
    public function testExceptionsAndTheirTracesDoNotShowWhatWasSent(string $call, array $script): void
    {
        self::script($script);
        $flags = ['-d', 'zend.exception_ignore_args=0'];
        $shown = Script::runFile('failing-call.php', [ScriptedServer::shared()->baseUrl, $call], $flags);
        self::assertMatchesRegularExpression('/InnoAI.Exception.\w+: /', $shown);
        self::assertMatchesRegularExpression('/\["args"\]=>\s+array\([1-9]/', $shown);
        self::assertStringNotContainsString('not-to-be-shown', $shown);
    }

    /** @return array<string, array{string, array<string, mixed>}> */
    public static function failures(): array
    {
        $refused = [self::refusal(401, 'invalid_api_key')];
        $pair = ['json' => self::PAIR];
        $due = ['json' => [...self::PAIR, 'expires_in' => 0]];
        $half = ['json' => ['active' => true, 'token' => 'not-to-be-shown'], 'close' => 'within'];
        $validate = ['GET /v1/auth/validate' => $refused];
        return [
            'refused' => ['validate', $validate],
            'refused twice' => [
                'validate as customer',
                [...$validate, 'POST /v1/auth/token' => [$pair], 'POST /v1/auth/refresh' => [$pair]],
            ],
            'not refreshed' => [
                'validate as customer',
                [...$validate, 'POST /v1/auth/token' => [$due, ...$refused], 'POST /v1/auth/refresh' => $refused],
            ],
            'refresh, closed' => ['refresh', ['POST /v1/auth/refresh' => [['close' => 'before']]]],
            'revoke, refused' => ['revoke', ['POST /v1/auth/revoke' => $refused]],
            'introspect, half an answer' => ['introspect', ['POST /v1/auth/introspect' => [$half]]],
            'explain, no JSON' => ['explain', ['POST /v1/auth/explain' => [['text' => 'not-to-be-shown']]]],
            'side by side' => ['side by side', ['POST /v1/auth/refresh' => $refused]],
            'a key as an id' => ['a key as an id', []],
            'headers that are no UTF-8' => ['headers of an endpoint that are no UTF-8', []],
            'a key with a line end' => ['a key with a line end', []],
            'a key that is a list' => ['a key that is a list', []],
            'an option that does not exist' => ['an option that does not exist', []],
            'a header with a line end' => ['a header with a line end', []],
            'a webhook secret that is no base64' => ['a webhook secret that is no base64', []],
            'nobody listens' => ['nobody listens', []],
        ];
    }

    private static function assertSilent(mixed ...$things): void
    {
        foreach ($things as $thing) {
            ob_start();
            var_dump($thing);
            debug_zval_dump($thing);
            $shown = ob_get_clean() . print_r($thing, true) . self::exported($thing) . self::asJson($thing);
            self::assertStringNotContainsString('not-to-be-shown', $shown);
        }
    }

    /** var_export cannot show what refers to itself, and warns. */
    private static function exported(mixed $thing): string
    {
        return (string) @var_export($thing, true);
    }

    private static function asJson(mixed $thing): string
    {
        return (string) json_encode($thing, JSON_PARTIAL_OUTPUT_ON_ERROR);
    }
}
