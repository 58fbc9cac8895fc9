<?php

declare(strict_types=1);

namespace InnoAI\Tests\Server;

use InnoAI\Audit\BrokenLink;
use InnoAI\Audit\Log;
use InnoAI\Audit\Verified;
use InnoAI\Audit\Why;

final class AuditTest extends ServerTestCase
{
    public function testTheLogIsWholeAndTellsWhoDidWhat(): void
    {
        $key = $this->client->keys->create(['name' => 'On record']);
        $page = $this->client->audit->list(['target_id' => $key->id]);
        self::assertSame(['key.created', 'key'], [$page->data[0]->action, $page->data[0]->actor->kind]);
        $verdict = $this->client->audit->verify();
        self::assertInstanceOf(Verified::class, $verdict);
        self::assertGreaterThanOrEqual($page->data[0]->sequence, $verdict->head->sequence);
        $lines = iterator_to_array($this->client->audit->export()->lines(), false);
        self::assertEquals($verdict, Log::verify($lines, [$verdict->head]));
        self::assertInstanceOf(Verified::class, $this->client->audit->verify([$verdict->head]));
        unset($lines[1]);
        self::assertEquals(new BrokenLink(2, null, Why::EntryMissing), Log::verify($lines));
    }
}
