<?php

declare(strict_types=1);

namespace InnoAI\Tests\Unit;

use InnoAI\Exception\NotFound;
use InnoAI\Exception\RateLimitExceeded;

/** Calls side by side. */
final class ConcurrentlyTest extends ScriptedTestCase
{
    private const DELAY = 0.3;

    public function testTheyWaitTogetherAndTheResultsHaveTheirKeys(): void
    {
        self::script(['GET /v1/auth/validate' => [['json' => self::VALID, 'delay' => self::DELAY]]]);
        $client = self::client();
        $calls = [];
        foreach (range('a', 'h') as $name) {
            $calls[$name] = static fn (): array => [$name, $client->auth->validate()->valid];
        }
        $results = $client->concurrently($calls);
        self::assertSideBySide(self::DELAY);
        $expected = array_map(static fn (string $name): array => [$name, true], range('a', 'h'));
        self::assertSame(array_combine(range('a', 'h'), $expected), $results);
    }

    public function testNoMoreThanTheLimitAreUnderWay(): void
    {
        $answer = ['json' => self::VALID, 'delay' => self::DELAY];
        self::script(['GET /v1/auth/validate' => [$answer]]);
        $client = self::client();
        $client->concurrently(array_fill(0, 4, static fn () => $client->auth->validate()), 2);
        $at = array_column(self::seen(), 'at');
        self::assertGreaterThan(self::DELAY * 0.9, $at[2] - $at[0]);
    }

    public function testThePausesBetweenAttemptsAreWaitedForTogetherToo(): void
    {
        $refused = self::refusal(429, 'rate_limit_exceeded');
        $refused['headers'] = ['retry-after-ms' => '400'];
        self::script([
            'GET /v1/keys/key_1' => [$refused, ['json' => ['id' => 'key_1']]],
            'GET /v1/keys/key_2' => [$refused, ['json' => ['id' => 'key_2']]],
            'GET /v1/keys/key_3' => [$refused, ['json' => ['id' => 'key_3']]],
            'GET /v1/keys/key_4' => [$refused, ['json' => ['id' => 'key_4']]],
            'GET /v1/keys/key_5' => [$refused, ['json' => ['id' => 'key_5']]],
        ]);
        $client = self::client();
        $get = static fn (string $id) => static fn () => $client->keys->get($id)->id;
        $ids = ['key_1', 'key_2', 'key_3', 'key_4', 'key_5'];
        self::assertSame($ids, $client->concurrently(array_map($get, $ids)));
        $paths = array_column(self::seen(), 'path');
        self::assertCount(count($ids), array_unique(array_slice($paths, 0, count($ids))));
    }

    public function testAllEndBeforeTheFirstFailureIsThrown(): void
    {
        self::script([
            'GET /v1/keys/key_1' => [self::refusal(404, 'not_found')],
            'GET /v1/keys/key_2' => [['delay' => self::DELAY, ...self::refusal(429, 'rate_limit_exceeded')]],
            'GET /v1/keys/key_3' => [['delay' => 2 * self::DELAY, 'json' => ['id' => 'key_3']]],
        ]);
        $client = self::client(['max_retries' => 0]);
        $ended = [];
        try {
            $client->concurrently([
                static fn () => $client->keys->get('key_2'),
                static fn () => $client->keys->get('key_1'),
                static function () use ($client, &$ended): void {
                    $ended[] = $client->keys->get('key_3')->id;
                },
            ]);
            self::fail('Nothing failed.');
        } catch (RateLimitExceeded | NotFound $problem) {
            self::assertInstanceOf(RateLimitExceeded::class, $problem);
        }
        self::assertSame(['key_3'], $ended);
    }

    public function testClientsWithConnectionsOfTheirOwnGoSideBySideAsWell(): void
    {
        self::script(['GET /v1/auth/validate' => [['json' => self::VALID, 'delay' => self::DELAY]]]);
        $calls = array_map(
            static fn (int $number) => static fn (): bool => self::client()->auth->validate()->valid,
            range(1, 8),
        );
        self::assertSame(array_fill(0, 8, true), self::client()->concurrently($calls));
        self::assertSideBySide(self::DELAY);
    }

    public function testStreamsAreReadSideBySide(): void
    {
        $event = static fn (string $text): string => 'data: ' . json_encode([
            'id' => 'c',
            'choices' => [['index' => 0, 'delta' => ['content' => $text]]],
        ]) . "\n\n";
        self::script(['POST /v1/chat/completions' => [[
            'headers' => ['content-type' => 'text/event-stream'],
            'text' => $event('Hel') . $event('lo') . "data: [DONE]\n\n",
            'split' => 90,
        ]]]);
        $client = self::client();
        $calls = array_fill(0, 6, static fn (): string => $client->chat->completions->stream(self::CHAT)->text());
        self::assertSame(array_fill(0, 6, 'Hello'), $client->concurrently($calls));
    }

    public function testCallsOfCallsAndCallsThatWaitForNothing(): void
    {
        self::script(['GET /v1/auth/validate' => [['json' => self::VALID]]]);
        $client = self::client();
        $inner = static fn () => $client->concurrently([static fn () => $client->auth->validate()->tier]);
        $results = $client->concurrently([static fn () => 1, $inner, static fn () => null]);
        self::assertSame([1, ['startup'], null], $results);
        self::assertSame([], $client->concurrently([]));
    }

    public function testCallsWithinACallMayWaitForTheTokenThatAnotherCallFetches(): void
    {
        $pair = ['access_token' => 'a', 'token_type' => 'Bearer', 'expires_in' => 3600, 'refresh_token' => 'r'];
        self::script([
            'POST /v1/auth/token' => [['json' => $pair, 'delay' => self::DELAY]],
            'GET /v1/auth/validate' => [['json' => self::VALID]],
        ]);
        $client = self::client(['scopes' => ['inference:read']]);
        $validate = static fn (): bool => $client->auth->validate()->valid;
        $within = static fn (): array => $client->concurrently([$validate, $validate]);
        self::assertSame([true, [true, true], true], $client->concurrently([$validate, $within, $validate]));
        self::assertCount(5, self::seen());
    }

    public function testAFiberOfTheApplicationIsNotSuspended(): void
    {
        self::script(['GET /v1/auth/validate' => [['json' => self::VALID, 'delay' => 0.05]]]);
        $client = self::client();
        $fiber = new \Fiber(static fn (): bool => $client->auth->validate()->valid);
        $fiber->start();
        self::assertTrue($fiber->isTerminated());
        self::assertTrue($fiber->getReturn());
    }

    /** One after the other, the requests would come so many seconds apart, each of them. */
    private static function assertSideBySide(float $apart): void
    {
        $at = array_column(self::seen(), 'at');
        $gap = static fn (float $one, float $next): float => $next - $one;
        $gaps = array_map($gap, array_slice($at, 0, -1), array_slice($at, 1));
        self::assertLessThan(0.9 * $apart, min($gaps));
    }
}
