<?php

declare(strict_types=1);

namespace InnoAI\Tests\Conformance;

use InnoAI\Tests\Support\ScriptedServer;
use PHPUnit\Framework\Attributes\DataProvider;

final class UnicodeTest extends VectorTestCase
{
    protected const SUITE = 'unicode';

    /** @return array<string, array{array<string, mixed>}> */
    public static function texts(): array
    {
        return self::vectors();
    }

    /**
     * @dataProvider texts
     * @param array<string, mixed> $case
     */
    #[DataProvider('texts')]
    public function testATextArrivesAndComesBackAsItIs(array $case): void
    {
        $server = ScriptedServer::shared();
        $server->script($case['script']);
        $customer = self::call(self::client($case), $case);
        $requests = $server->seen();
        self::assertCount(1, $requests);
        self::assertTrue(mb_check_encoding($requests[0]['body'], 'UTF-8'));
        $name = json_decode($requests[0]['body'], true, 512, JSON_THROW_ON_ERROR)['name'];
        self::assertSame($case['text'], $name);
        self::assertSame($case['text'], $customer->name);
    }
}
