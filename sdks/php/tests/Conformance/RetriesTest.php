<?php

declare(strict_types=1);

namespace InnoAI\Tests\Conformance;

use InnoAI\Http\Body;
use InnoAI\Http\Response;
use InnoAI\Internal\Backoff;
use InnoAI\Tests\Support\ScriptedServer;
use PHPUnit\Framework\Attributes\DataProvider;

final class RetriesTest extends VectorTestCase
{
    protected const SUITE = 'retries';
    private const DRAWS = 200;

    /** @return array<string, array{array<string, mixed>}> */
    public static function pauses(): array
    {
        return self::vectors('backoff');
    }

    /** @return array<string, array{array<string, mixed>}> */
    public static function timelines(): array
    {
        return self::vectors();
    }

    /**
     * @dataProvider pauses
     * @param array<string, mixed> $case
     */
    #[DataProvider('pauses')]
    public function testThePauseLiesWithinItsBounds(array $case): void
    {
        $response = new Response(503, $case['headers'], $this->createStub(Body::class));
        $drawn = array_map(
            static fn (int $draw): float => Backoff::pause($case['retry'], $response),
            range(1, self::DRAWS),
        );
        self::assertGreaterThanOrEqual($case['min'], min($drawn));
        self::assertLessThanOrEqual($case['max'], max($drawn));
        self::assertSame($case['min'] != $case['max'], count(array_unique($drawn)) > 1);
    }

    /**
     * @dataProvider timelines
     * @param array<string, mixed> $case
     */
    #[DataProvider('timelines')]
    public function testTheTimeline(array $case): void
    {
        $server = ScriptedServer::shared();
        $server->script($case['script']);
        $problem = self::outcome(self::client($case), $case);
        $requests = $server->seen();
        $expected = $case['expect'];
        self::assertOutcome($expected['outcome'], $problem);
        self::assertCount($expected['requests'], $requests);
        foreach ($requests as $request) {
            foreach (['method', 'path', 'body'] as $member) {
                self::assertSame($requests[0][$member], $request[$member]);
            }
        }
        self::assertKeys($expected['idempotency_key'] ?? null, $requests);
        foreach ($expected['min_waits'] ?? [] as $after => $least) {
            self::assertGreaterThanOrEqual($least, $requests[$after + 1]['at'] - $requests[$after]['at']);
        }
    }

    /**
     * @param string|array{is: string}|null $expected
     * @param list<array<string, mixed>> $requests
     */
    private static function assertKeys(string|array|null $expected, array $requests): void
    {
        $keys = array_map(static fn (array $request) => $request['headers']['idempotency-key'] ?? null, $requests);
        if ($expected === 'absent') {
            self::assertSame([], array_filter($keys));
        } elseif ($expected === 'same') {
            self::assertCount(1, array_unique($keys));
            self::assertNotEmpty($keys[0]);
        } elseif ($expected !== null) {
            self::assertSame([$expected['is']], array_values(array_unique($keys)));
        }
    }
}
