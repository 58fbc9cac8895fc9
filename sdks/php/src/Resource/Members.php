<?php

declare(strict_types=1);

namespace InnoAI\Resource;

use InnoAI\Internal\Call;
use InnoAI\Internal\Check;
use InnoAI\Internal\Params;
use InnoAI\Model\Member;
use InnoAI\Page\Listing;
use InnoAI\Page\Page;

/** The people of the account. */
final class Members extends Resource
{
    /**
     * Invite a person. The answer's `invite_url` is shown this once; who has it joins as that member.
     *
     * `role`: developer by default. Idempotency-Key as for keys.
     *
     * @param array{email: string, role?: string|\InnoAI\Enum\Role, name?: string} $params
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function create(array $params, array $options = []): Member
    {
        return Member::from($this->sender->object(Call::create('/members', Params::known($params), $options)));
    }

    /**
     * The account's members. `limit`: members a page, 1-100.
     *
     * @param array{limit?: int, cursor?: string} $params
     * @return Page<Member>
     */
    public function list(array $params = []): Page
    {
        return Page::first(new Listing($this->sender, '/members', Member::class, $params));
    }

    /** The member of that id, `mem_…`. */
    public function get(string $memberId): Member
    {
        return Member::from($this->sender->object(Call::get(self::path($memberId))));
    }

    /**
     * Change what is given and leave the rest. The last owner stays one.
     *
     * @param array{role?: string|\InnoAI\Enum\Role, name?: string|null} $params
     * @param array{
     *     idempotency_key?: string, timeout?: float, max_retries?: int, headers?: array<string, string>
     * } $options
     */
    public function update(string $memberId, array $params, array $options = []): Member
    {
        $call = Call::change(self::path($memberId), Params::given($params), $options);
        return Member::from($this->sender->object($call));
    }

    /** Remove the member. The last owner stays. */
    public function delete(string $memberId): void
    {
        $this->sender->run(Call::delete(self::path($memberId)));
    }

    private static function path(string $memberId): string
    {
        return '/members/' . Check::segment('member_id', $memberId);
    }
}
