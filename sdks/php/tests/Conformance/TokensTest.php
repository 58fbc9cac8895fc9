<?php

declare(strict_types=1);

namespace InnoAI\Tests\Conformance;

use InnoAI\Model\Token;
use InnoAI\Tests\Support\ScriptedServer;
use InnoAI\Token\Held;
use PHPUnit\Framework\Attributes\DataProvider;

final class TokensTest extends VectorTestCase
{
    protected const SUITE = 'tokens';

    /** @return array<string, array{array<string, mixed>}> */
    public static function ages(): array
    {
        return self::vectors('renewal');
    }

    /** @return array<string, array{array<string, mixed>}> */
    public static function steps(): array
    {
        return self::vectors();
    }

    /**
     * @dataProvider ages
     * @param array<string, mixed> $case
     */
    #[DataProvider('ages')]
    public function testWhenATokenIsDue(array $case): void
    {
        $held = Held::since(0.0, Token::from([
            'access_token' => 'a',
            'token_type' => 'Bearer',
            'expires_in' => $case['expires_in'],
            'refresh_token' => 'r',
        ]));
        self::assertSame($case['due'], $case['age'] >= $held->renewAt);
    }

    /**
     * @dataProvider steps
     * @param array<string, mixed> $case
     */
    #[DataProvider('steps')]
    public function testTokensAreMintedRefreshedAndReplaced(array $case): void
    {
        $server = ScriptedServer::shared();
        $server->script($case['script']);
        $client = self::client($case, $case['client']);
        foreach ($case['steps'] as $step) {
            $calls = array_fill(0, $step['parallel'] ?? 1, fn () => self::outcome($client, $step));
            foreach ($client->concurrently($calls) as $problem) {
                self::assertOutcome($step['outcome'], $problem);
            }
        }
        $requests = $server->seen();
        if (isset($case['expect']['requests'])) {
            self::assertSame($case['expect']['requests'], self::shown($requests, $case['expect']['requests']));
        }
        $routes = array_count_values(array_map(static fn ($each) => "{$each['method']} {$each['path']}", $requests));
        foreach ($case['expect']['counts'] ?? [] as $route => $count) {
            self::assertSame($count, $routes[$route] ?? 0, $route);
        }
    }

    /**
     * The requests in the form that the case has, each with the members that the case has of it.
     *
     * @param list<array<string, mixed>> $requests
     * @param list<array<string, mixed>> $wanted
     * @return list<array<string, mixed>>
     */
    private static function shown(array $requests, array $wanted): array
    {
        $shown = [];
        foreach ($requests as $number => $request) {
            $authorization = $request['headers']['authorization'] ?? null;
            $bearer = $authorization === null ? null : str_replace('Bearer ', '', $authorization);
            $whole = [
                'route' => "{$request['method']} {$request['path']}",
                'bearer' => $bearer === self::KEY ? 'key' : $bearer,
                'json' => json_decode($request['body'], true),
            ];
            $shown[] = array_intersect_key($whole, $wanted[$number] ?? $whole);
        }
        return $shown;
    }
}
